/** Text that does not compress: makes a shard as large as a test wants it when it lies in bodies, which are not searched. */
export function ballast(bytes: number, seed: number): string {
  let state = seed * 2_654_435_761 + 1;
  let text = "";
  while (text.length < bytes) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    text += state.toString(36).padStart(7, "0");
  }
  return text;
}
