/**
 * Lucene's default English stop words. Each is at most five letters, so each is one number.
 */

/** Little-endian packed letters, padded with zero. */
const STOP_WORDS: usize = memory.data<u64>([
  0x61, // a
  0x6e61, // an
  0x646e61, // and
  0x657261, // are
  0x7361, // as
  0x7461, // at
  0x6562, // be
  0x747562, // but
  0x7962, // by
  0x726f66, // for
  0x6669, // if
  0x6e69, // in
  0x6f746e69, // into
  0x7369, // is
  0x7469, // it
  0x6f6e, // no
  0x746f6e, // not
  0x666f, // of
  0x6e6f, // on
  0x726f, // or
  0x68637573, // such
  0x74616874, // that
  0x656874, // the
  0x7269656874, // their
  0x6e656874, // then
  0x6572656874, // there
  0x6573656874, // these
  0x79656874, // they
  0x73696874, // this
  0x6f74, // to
  0x736177, // was
  0x6c6c6977, // will
  0x68746977, // with
]);
const STOP_WORD_COUNT: u32 = 33;
const STOP_WORD_BYTES_MAX: u32 = 5;

export function isStopWord(word: usize, bytes: u32): bool {
  if (bytes > STOP_WORD_BYTES_MAX) return false;
  let packed: u64 = 0;
  for (let i: u32 = 0; i < bytes; i++) packed |= (<u64>load<u8>(word + i)) << ((<u64>i) << 3);
  for (let i: u32 = 0; i < STOP_WORD_COUNT; i++) if (load<u64>(STOP_WORDS + ((<usize>i) << 3)) == packed) return true;
  return false;
}
