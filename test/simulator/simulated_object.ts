/**
 * An object of the platform: named, made when it is called, with a storage that outlives its instances. At most one
 * instance is given new events; an older one may still be running what it had begun.
 */
import type { Clock } from "../../core/ports.ts";
import type { Alarm, Sql } from "../../durable-objects/sql.ts";
import { type Network, Process } from "./network.ts";
import { ObjectStorage } from "./object_storage.ts";

/** What an instance is made from. */
export interface Place {
  readonly process: Process;
  readonly sql: Sql;
  readonly alarm: Alarm;
}

interface Woken {
  wake(): Promise<void>;
}

interface Instance<T> {
  readonly process: Process;
  readonly target: T;
}

/** The platform rings again when the instance ended while it was being rung. */
const ALARM_RETRY_MS = 2_000;
/** How long an instance runs on beside its successor, at the most. */
const OVERLAP_MS = 1_500;

export class SimulatedObject<T extends Woken> {
  readonly name: string;
  /** The object's clock is ahead of the true one by so much. */
  skewMs = 0;
  /** Alarms are forgotten when the object ends, as they are locally. */
  losesAlarms = false;
  readonly clock: Clock;
  readonly #network: Network;
  readonly #storage: ObjectStorage;
  readonly #compose: (place: Place) => T;
  /** The newest instance, and those that still run. */
  #current: Instance<T> | null = null;
  readonly #older = new Set<Process>();
  #made = 0;
  #isRinging = false;

  constructor(name: string, epochMs: number, network: Network, compose: (place: Place) => T) {
    this.name = name;
    this.#network = network;
    this.#compose = compose;
    this.clock = { now: () => Math.floor(epochMs + this.#network.scheduler.nowMs + this.skewMs) };
    this.#storage = new ObjectStorage(name, network, (atMs) => this.#scheduleAlarm(atMs));
  }

  /** A call that has arrived: the answer leaves when what was written before it is durable. */
  call<R>(serve: (target: T) => Promise<R>): Promise<R> {
    return new Promise((resolve, reject) => {
      const { process, target } = this.#instance();
      const listening = process.onEnd(() => reject(new Error("the object ended")));
      const answer = (settle: () => void): void =>
        process.send(() => {
          listening();
          settle();
        });
      serve(target).then(
        (value) => answer(() => resolve(value)),
        (cause: unknown) => answer(() => reject(cause)),
      );
    });
  }

  #instance(): Instance<T> {
    if (this.#current !== null) return this.#current;
    this.#made += 1;
    const process = new Process(`${this.name}#${this.#made}`, (message) => this.#storage.whenConfirmed(message));
    const place = { process, sql: this.#storage.sqlOf(this.#made), alarm: this.#storage.alarmOf(this.#made) };
    this.#current = { process, target: this.#compose(place) };
    return this.#current;
  }

  /** Ends all instances at once. */
  crash(): void {
    this.#storage.crash();
    this.#end();
  }

  /** The storage is gone, and its instances with it. */
  lose(): void {
    this.#storage.lose();
    this.#end();
  }

  #end(): void {
    for (const process of this.#older) process.end();
    this.#older.clear();
    this.#current?.process.end();
    this.#current = null;
    if (this.losesAlarms) this.#storage.setAlarm(null);
    else this.#ringAgain();
  }

  /** The next call goes to a new instance, while this one goes on with what it has begun. `lose`: on an empty storage. */
  supersede(lose: boolean): void {
    if (this.#current === null) return;
    const { process } = this.#current;
    this.#older.add(process);
    this.#current = null;
    this.#storage.confirm();
    if (lose) this.#storage.lose();
    else this.#ringAgain();
    // As on the platform: a successor begins by touching its storage.
    this.#instance();
    this.#network.scheduler.after(OVERLAP_MS, "", () => {
      if (this.#older.delete(process)) process.end();
    });
  }

  /** An alarm whose handler did not come to its end is rung again. */
  #ringAgain(): void {
    if (this.#isRinging && this.#storage.alarmMs === null) this.#storage.setAlarm(this.clock.now() + ALARM_RETRY_MS);
    this.#isRinging = false;
  }

  /** By the platform's own clock, which nobody sets: so long after it was set as was asked for then. */
  #scheduleAlarm(atMs: number): void {
    this.#network.scheduler.after(atMs - this.clock.now(), "", () => this.#ring(atMs));
  }

  #ring(atMs: number): void {
    if (this.#storage.alarmMs !== atMs) return;
    this.#network.scheduler.note(`${this.name} is woken by its alarm`);
    this.#storage.setAlarm(null);
    this.#isRinging = true;
    this.call((target) => target.wake()).then(
      () => {
        this.#isRinging = false;
      },
      () => undefined,
    );
  }

  close(): void {
    this.#storage.close();
  }
}
