/**
 * The natural logarithm in plain f64 operations, so that every engine computes the same bits.
 *
 * x = 2^k · m with m in [√½, √2); with s = (m − 1) / (m + 1), ln m = 2 · (s + s³/3 + s⁵/5 + …), and |s| < 0.1716, so
 * terms to s²¹ leave an error below one unit in the last place. ln 2 is split so that k · LN2_HIGH is exact.
 */

const SQRT2: f64 = 1.4142135623730951;
const LN2_HIGH: f64 = 0.6931471803691238;
const LN2_LOW: f64 = 1.9082149292705877e-10;

/** For normal x > 0. */
export function naturalLogarithm(x: f64): f64 {
  const bits = reinterpret<u64>(x);
  let exponent = <i32>((bits >> 52) & 0x7ff) - 1023;
  let mantissa = reinterpret<f64>((bits & 0x000fffffffffffff) | 0x3ff0000000000000);
  if (mantissa > SQRT2) {
    mantissa *= 0.5;
    exponent += 1;
  }
  const s = (mantissa - 1.0) / (mantissa + 1.0);
  const z = s * s;
  let series: f64 = 1.0 / 21.0;
  series = 1.0 / 19.0 + z * series;
  series = 1.0 / 17.0 + z * series;
  series = 1.0 / 15.0 + z * series;
  series = 1.0 / 13.0 + z * series;
  series = 1.0 / 11.0 + z * series;
  series = 1.0 / 9.0 + z * series;
  series = 1.0 / 7.0 + z * series;
  series = 1.0 / 5.0 + z * series;
  series = 1.0 / 3.0 + z * series;
  const twice = s + s;
  const k = <f64>exponent;
  return k * LN2_HIGH + (twice + (twice * (z * series) + k * LN2_LOW));
}

/** ln(1 + (documents − df + ½) / (df + ½)); never negative while df ≤ documents. */
export function inverseDocumentFrequency(documents: f64, df: f64): f64 {
  return naturalLogarithm(1.0 + (documents - df + 0.5) / (df + 0.5));
}
