/**
 * The queue: at least once, in any order, in small batches; what is not acknowledged comes again, and after some times
 * goes to where dead letters are consumed.
 */
import type { IndexNudge } from "../../core/rpc.ts";
import type { ScopeNudge } from "../../core/scope/scope_rpc.ts";
import type { Network, Process } from "./network.ts";

export interface QueueWeather {
  readonly refused: number;
  readonly dropped: number;
  readonly repeated: number;
}

/** As the consumers see a message. */
export interface Delivered {
  readonly id: string;
  readonly body: unknown;
  ack(): void;
  retry(options?: { delaySeconds?: number }): void;
}

type Nudge = IndexNudge | ScopeNudge;

interface Message {
  readonly id: string;
  readonly body: Nudge;
  attempts: number;
  isDead: boolean;
}

type Consume = (process: Process, messages: readonly Delivered[]) => Promise<void>;

export interface Consumers {
  readonly nudges: Consume;
  readonly deadLetters: Consume;
}

const ATTEMPTS_MAX = 3;
const REDELIVERY_MS = 1_000;
const BATCH_MAX = 3;

export class SimulatedQueue {
  readonly #network: Network;
  readonly #weather: QueueWeather;
  readonly #begin: () => Process;
  readonly #consumers: Consumers;
  #ready: Message[] = [];
  #sent = 0;
  /** Messages that are not settled. */
  open = 0;

  constructor(network: Network, weather: QueueWeather, begin: () => Process, consumers: Consumers) {
    this.#network = network;
    this.#weather = weather;
    this.#begin = begin;
    this.#consumers = consumers;
  }

  async send(from: Process, body: Nudge): Promise<void> {
    const faults = { refused: this.#weather.refused, lost: this.#weather.refused, slow: 0, late: 0, lateMs: 0 };
    await this.#network.message(from, `queue ${aboutOf(body)}`, async () => this.#accept(body), faults);
  }

  #accept(body: Nudge): void {
    const { chance, isFaulty } = this.#network;
    const subject = `queue message ${aboutOf(body)}`;
    if (isFaulty && chance.happens(subject, this.#weather.dropped)) return;
    this.#enqueue(body);
    if (isFaulty && chance.happens(subject, this.#weather.repeated)) this.#enqueue(body);
  }

  #enqueue(body: Nudge): void {
    this.#sent += 1;
    this.open += 1;
    this.#deliverLater({ id: `m${this.#sent}`, body, attempts: 0, isDead: false }, 0);
  }

  #deliverLater(message: Message, delayMs: number): void {
    const subject = `delivery ${aboutOf(message.body)}`;
    this.#network.scheduler.after(delayMs + this.#network.delayMs(subject), "", () => {
      this.#ready.push(message);
      // Those that become ready soon after this one come with it.
      this.#network.scheduler.after(this.#network.delayMs(subject), "", () => this.#deliver());
    });
  }

  #deliver(): void {
    const [first] = this.#ready;
    if (first === undefined) return;
    const batch = this.#ready.filter(({ isDead }) => isDead === first.isDead).slice(0, BATCH_MAX);
    this.#ready = this.#ready.filter((message) => !batch.includes(message));
    const process = this.#begin();
    const settled = new Set<Message>();
    const settle = (message: Message, isDone: boolean): void => {
      if (settled.has(message)) return;
      settled.add(message);
      if (isDone) this.open -= 1;
      else this.#again(message);
    };
    const messages = batch.map((message) => this.#asDelivered(message, process, settle));
    const finish = (isDone: boolean) => () => {
      for (const message of batch) settle(message, isDone);
    };
    process.onEnd(finish(false));
    this.#network.scheduler.note(
      `${process.name} takes ${batch.map(({ id, body }) => `${id} (${aboutOf(body)})`).join(", ")}`,
    );
    const consume = first.isDead ? this.#consumers.deadLetters : this.#consumers.nudges;
    consume(process, messages).then(finish(true), finish(false));
  }

  #asDelivered(message: Message, process: Process, settle: (message: Message, isDone: boolean) => void): Delivered {
    const whileAlive = (isDone: boolean) => () => {
      if (process.alive) settle(message, isDone);
    };
    return { id: message.id, body: message.body, ack: whileAlive(true), retry: whileAlive(false) };
  }

  #again(message: Message): void {
    message.attempts += 1;
    if (message.attempts >= ATTEMPTS_MAX && !message.isDead) {
      message.isDead = true;
      message.attempts = 0;
    }
    this.#deliverLater(message, REDELIVERY_MS);
  }
}

function aboutOf(nudge: Nudge): string {
  return "entity" in nudge ? `${nudge.tenant}/${nudge.entity}` : nudge.tenant;
}
