/** The kernel's logarithm said again in JavaScript numbers, which are the same f64: results must agree bit for bit. */
const LN2_HIGH = 0.6931471803691238;
const LN2_LOW = 1.9082149292705877e-10;

export function naturalLogarithm(x: number): number {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, x);
  const high = view.getUint32(0);
  let exponent = (high >>> 20) - 1023;
  view.setUint32(0, (high & 0x000fffff) | 0x3ff00000);
  let mantissa = view.getFloat64(0);
  if (mantissa > Math.SQRT2) {
    mantissa /= 2;
    exponent++;
  }
  const s = (mantissa - 1) / (mantissa + 1);
  const z = s * s;
  let series = 1 / 21;
  for (let odd = 19; odd >= 3; odd -= 2) series = 1 / odd + z * series;
  return exponent * LN2_HIGH + (2 * s + (2 * s * (z * series) + exponent * LN2_LOW));
}

export function inverseDocumentFrequency(documents: number, df: number): number {
  return naturalLogarithm(1 + (documents - df + 0.5) / (df + 0.5));
}
