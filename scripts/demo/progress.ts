/**
 * A progress bar in a terminal; plain lines, now and then, anywhere else.
 */

const BAR_CELLS = 28;
const PLAIN_INTERVAL_MS = 2_000;

export interface Progress {
  update(fraction: number, detail: string): void;
  /** Leaves the last line standing. */
  done(fraction: number, detail: string): void;
}

export function progressBar(label: string, stream: NodeJS.WriteStream = process.stdout): Progress {
  let shownMs = Number.NEGATIVE_INFINITY;
  const percent = (fraction: number): string => `${String(Math.floor(fraction * 100)).padStart(3)} %`;
  const plain = (fraction: number, detail: string): string => `${label.padEnd(8)} ${percent(fraction)}  ${detail}`;
  const line = (fraction: number, detail: string): string => {
    const filled = Math.round(Math.min(1, Math.max(0, fraction)) * BAR_CELLS);
    return `${label.padEnd(8)} ${"█".repeat(filled)}${"░".repeat(BAR_CELLS - filled)} ${percent(fraction)}  ${detail}`;
  };
  return {
    update(fraction, detail) {
      if (stream.isTTY) {
        stream.write(`\r\x1b[2K${line(fraction, detail).slice(0, (stream.columns ?? 120) - 1)}`);
      } else if (performance.now() - shownMs > PLAIN_INTERVAL_MS) {
        shownMs = performance.now();
        stream.write(`${plain(fraction, detail)}\n`);
      }
    },
    done(fraction, detail) {
      stream.write(stream.isTTY ? `\r\x1b[2K${line(fraction, detail)}\n` : `${plain(fraction, detail)}\n`);
    },
  };
}
