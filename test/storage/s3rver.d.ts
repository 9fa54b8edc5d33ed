/** What the tests use of a package that has no types. */
declare module "@20minutes/s3rver" {
  import type { IncomingMessage, ServerResponse } from "node:http";

  export interface Listed {
    readonly key: string;
    readonly size: number;
  }

  export interface StoredObject {
    metadata: Readonly<Record<string, string>>;
  }

  export interface Context {
    readonly method: string;
    readonly path: string;
    readonly query: Readonly<Partial<Record<string, string>>>;
    /** Has an account once the request's signature was verified. */
    readonly state: { readonly account?: object };
    status: number;
    type: string;
    body: unknown;
  }

  export default class S3rver {
    constructor(options: {
      readonly directory: string;
      readonly silent: boolean;
      readonly vhostBuckets: boolean;
      readonly configureBuckets: readonly { readonly name: string }[];
    });
    readonly store: {
      listObjects(
        bucket: string,
        options: { readonly prefix: string },
      ): Promise<{ readonly objects: readonly Listed[] }>;
      putObject(object: StoredObject): Promise<unknown>;
      deleteObject(bucket: string, key: string): Promise<void>;
      existsObject(bucket: string, key: string): Promise<boolean>;
    };
    readonly middleware: ((context: Context, next: () => Promise<void>) => Promise<void>)[];
    configureBuckets(): Promise<unknown>;
    callback(): (request: IncomingMessage, response: ServerResponse) => void;
  }
}
