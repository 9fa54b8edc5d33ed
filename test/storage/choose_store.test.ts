import { describe, expect, it } from "vitest";
import { chooseStore, type StoreSettings } from "../../adapters/storage/choose_store.ts";
import { problemOf } from "../../core/errors.ts";

const S3 = {
  OBJECT_STORE: "s3",
  S3_ENDPOINT: "https://s3.eu-central-1.amazonaws.com",
  S3_BUCKET: "context-plane",
  S3_REGION: "eu-central-1",
  S3_ACCESS_KEY_ID: "AKIDEXAMPLE",
  S3_SECRET_ACCESS_KEY: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
};

describe("a store", () => {
  it.each<[string, StoreSettings]>([
    ["of Amazon", S3],
    ["on another port", { ...S3, S3_ENDPOINT: "https://minio.internal.example:9000/" }],
    [
      "without encryption on a developer's machine",
      { ...S3, ENVIRONMENT: "development", S3_ENDPOINT: "http://127.0.0.1:9000" },
    ],
  ])("%s is taken, without an R2 bucket", (_, settings) => {
    expect(chooseStore(settings, null).ok).toBe(true);
  });

  it.each<[string, StoreSettings, string]>([
    ["that nobody has heard of", { ...S3, OBJECT_STORE: "S3" }, "OBJECT_STORE"],
    ["of R2 without a bucket", {}, "BUCKET"],
    ["without an endpoint", { ...S3, S3_ENDPOINT: "" }, "S3_ENDPOINT"],
    ["with a path behind its endpoint", { ...S3, S3_ENDPOINT: "https://s3.example/bucket" }, "S3_ENDPOINT"],
    ["with a password in its endpoint", { ...S3, S3_ENDPOINT: "https://user:secret@s3.example" }, "S3_ENDPOINT"],
    ["that is no web address", { ...S3, S3_ENDPOINT: "ftp://s3.example" }, "S3_ENDPOINT"],
    ["that anyone on the way could read", { ...S3, S3_ENDPOINT: "http://s3.example" }, "S3_ENDPOINT"],
    ["with a bucket in a bucket", { ...S3, S3_BUCKET: "a/b" }, "S3_BUCKET"],
    ["without a region", { ...S3, S3_REGION: "" }, "S3_REGION"],
    ["with a key id that no header carries", { ...S3, S3_ACCESS_KEY_ID: "two words" }, "S3_ACCESS_KEY_ID"],
    ["with a secret that ends in a line feed", { ...S3, S3_SECRET_ACCESS_KEY: "secret\n" }, "S3_SECRET_ACCESS_KEY"],
  ])("%s is refused by name, and no value is repeated", (_, settings, name) => {
    const chosen = chooseStore(settings, null);
    expect(chosen.ok).toBe(false);
    const said = chosen.ok ? "" : JSON.stringify(problemOf(chosen.failure));
    expect(said).toContain(name);
    for (const value of Object.values(settings)) {
      if (value !== undefined && value.length > 3) expect(said).not.toContain(value);
    }
    expect(said).not.toContain("secret@");
  });

  it("with everything missing names everything", () => {
    const chosen = chooseStore({ OBJECT_STORE: "s3" }, null);
    const named =
      !chosen.ok && chosen.failure.reason === "invalid" ? chosen.failure.errors.map(({ path }) => path) : [];
    expect(named).toEqual(Object.keys(S3).filter((name) => name.startsWith("S3_")));
  });
});
