/**
 * Porter2, the English stemmer of Snowball (M. F. Porter, "The English (Porter2) stemming algorithm"), with the
 * refinements of Snowball 3: further prefixes whose R1 is a convention (university is not universe, organization no
 * organ), doubled letters kept in add, egg and off, -ogist.
 *
 * Works in place on a word of a–z and apostrophes, which never begins with an apostrophe, because the tokenizer lets
 * none stand there. `Y` marks a y that counts as a consonant, as in the paper.
 */

const A: u32 = 0x61;
const E: u32 = 0x65;
const I: u32 = 0x69;
const L: u32 = 0x6c;
const O: u32 = 0x6f;
const S: u32 = 0x73;
const T: u32 = 0x74;
const W: u32 = 0x77;
const X: u32 = 0x78;
const Y: u32 = 0x79;
const CONSONANT_Y: u32 = 0x59;
const APOSTROPHE: u32 = 0x27;

let word: usize = 0;
let length: u32 = 0;
/** Where the regions R1 and R2 of the paper begin. */
let region1: u32 = 0;
let region2: u32 = 0;

/** Stems the `bytes` bytes at `at`; the stem is never longer. Answers its length. */
export function stem(at: usize, bytes: u32): u32 {
  if (bytes <= 2) return bytes;
  word = at;
  length = bytes;
  if (irregular()) return length;
  markConsonants();
  findRegions();
  removePossessive();
  removePlural();
  if (!staysAfterPlural()) {
    removePast();
    replaceFinalY();
    shortenDerived();
    shortenAdjective();
    removeSuffix();
    removeFinal();
  }
  for (let i: u32 = 0; i < length; i++) if (charAt(i) == CONSONANT_Y) setChar(i, Y);
  return length;
}

@inline
function charAt(index: u32): u32 {
  return load<u8>(word + index);
}

@inline
function setChar(index: u32, char: u32): void {
  store<u8>(word + index, char);
}

@inline
function isVowel(char: u32): bool {
  // a e i o u y, as bits from `a` on.
  return char - A < 26 && ((0x1104111 >> (char - A)) & 1) != 0;
}

@inline
function textChar(text: string, index: u32): u32 {
  return load<u16>(changetype<usize>(text) + ((<usize>index) << 1));
}

function ends(suffix: string): bool {
  const bytes = <u32>suffix.length;
  if (bytes > length) return false;
  const from = length - bytes;
  for (let i = bytes; i > 0; i--) if (charAt(from + i - 1) != textChar(suffix, i - 1)) return false;
  return true;
}

@inline
function equals(text: string): bool {
  return <u32>text.length == length && ends(text);
}

/** `suffix` stands at the end: cuts it and puts `replacement` there. */
function replace(suffixBytes: u32, replacement: string): void {
  const from = length - suffixBytes;
  const bytes = <u32>replacement.length;
  for (let i: u32 = 0; i < bytes; i++) setChar(from + i, textChar(replacement, i));
  length = from + bytes;
}

function become(text: string): bool {
  length = <u32>text.length;
  for (let i: u32 = 0; i < length; i++) setChar(i, textChar(text, i));
  return true;
}

function irregular(): bool {
  if (length > 6) return false;
  if (equals("skis")) return become("ski");
  if (equals("skies")) return become("sky");
  // dying, lying, tying, vying
  if (length == 5 && ends("ying") && !isVowel(charAt(0))) {
    replace(4, "ie");
    return true;
  }
  if (equals("idly")) return become("idl");
  if (equals("gently")) return become("gentl");
  if (equals("ugly")) return become("ugli");
  if (equals("early")) return become("earli");
  if (equals("only")) return become("onli");
  if (equals("singly")) return become("singl");
  return (
    equals("sky") ||
    equals("news") ||
    equals("howe") ||
    equals("atlas") ||
    equals("cosmos") ||
    equals("bias") ||
    equals("andes")
  );
}

function markConsonants(): void {
  for (let i: u32 = 0; i < length; i++) {
    if (charAt(i) == Y && (i == 0 || isVowel(charAt(i - 1)))) setChar(i, CONSONANT_Y);
  }
}

function findRegions(): void {
  region1 = prefixRegion();
  if (region1 == 0) region1 = regionFrom(0);
  region2 = regionFrom(region1);
}

/** Prefixes whose R1 is a convention. */
function prefixRegion(): u32 {
  if (starts("past")) return 4;
  if (starts("gener") || starts("arsen") || starts("later") || starts("emerg") || starts("organ") || starts("inter"))
    return 5;
  if (starts("commun")) return 6;
  return starts("univers") ? 7 : 0;
}

function starts(prefix: string): bool {
  const bytes = <u32>prefix.length;
  if (bytes > length) return false;
  for (let i: u32 = 0; i < bytes; i++) if (charAt(i) != textChar(prefix, i)) return false;
  return true;
}

/** After the first non-vowel that follows a vowel. */
function regionFrom(start: u32): u32 {
  for (let i = start + 1; i < length; i++) {
    if (!isVowel(charAt(i)) && isVowel(charAt(i - 1))) return i + 1;
  }
  return length;
}

function vowelBefore(end: u32): bool {
  for (let i: u32 = 0; i < end; i++) if (isVowel(charAt(i))) return true;
  return false;
}

function removePossessive(): void {
  if (ends("'s'")) length -= 3;
  else if (ends("'s")) length -= 2;
  else if (charAt(length - 1) == APOSTROPHE) length -= 1;
}

function removePlural(): void {
  if (length == 0) return;
  if (ends("sses")) {
    length -= 2;
  } else if (ends("ied") || ends("ies")) {
    length -= length > 4 ? 2 : 1;
  } else if (charAt(length - 1) == S && !ends("us") && !ends("ss")) {
    if (length > 2 && vowelBefore(length - 2)) length -= 1;
  }
}

function staysAfterPlural(): bool {
  if (length == 6) return equals("inning") || equals("outing") || equals("exceed");
  if (length == 7)
    return (
      equals("evening") ||
      equals("canning") ||
      equals("herring") ||
      equals("earring") ||
      equals("proceed") ||
      equals("succeed")
    );
  return false;
}

function removePast(): void {
  if (ends("eedly")) {
    if (length - 5 >= region1) length -= 3;
    return;
  }
  if (ends("eed")) {
    if (length - 3 >= region1) length -= 1;
    return;
  }
  let bytes: u32 = 0;
  if (ends("ingly")) bytes = 5;
  else if (ends("edly")) bytes = 4;
  else if (ends("ing")) bytes = 3;
  else if (ends("ed")) bytes = 2;
  if (bytes == 0 || !vowelBefore(length - bytes)) return;
  length -= bytes;
  if (ends("at") || ends("bl") || ends("iz") || (!endsDouble() && isShortWord())) {
    setChar(length, E);
    length += 1;
  } else if (endsDouble() && !(length == 3 && isAeo(charAt(0)))) {
    length -= 1;
  }
}

function endsDouble(): bool {
  if (length < 2) return false;
  const last = charAt(length - 1);
  if (last != charAt(length - 2)) return false;
  // b d f g m n p r t, as bits from `a` on.
  return last - A < 26 && ((0xab06a >> (last - A)) & 1) != 0;
}

/** A three-letter word that begins so keeps its double: add, egg, off. */
@inline
function isAeo(char: u32): bool {
  return char == A || char == E || char == O;
}

/** The paper's short syllable, ending before `end`. */
function isShortSyllable(end: u32): bool {
  if (end < 2) return false;
  const last = charAt(end - 1);
  if (isVowel(last) || !isVowel(charAt(end - 2))) return false;
  if (end == 2) return true;
  return last != W && last != X && last != CONSONANT_Y && !isVowel(charAt(end - 3));
}

function isShortWord(): bool {
  return region1 >= length && isShortSyllable(length);
}

function replaceFinalY(): void {
  if (length <= 2) return;
  const last = charAt(length - 1);
  if ((last == Y || last == CONSONANT_Y) && !isVowel(charAt(length - 2))) setChar(length - 1, I);
}

/** `suffix` is the longest of its step that matches; it is replaced if it lies in R1. True: the step is over. */
function inRegion1(suffix: string, replacement: string): bool {
  if (!ends(suffix)) return false;
  const bytes = <u32>suffix.length;
  if (length - bytes >= region1) replace(bytes, replacement);
  return true;
}

function shortenDerived(): void {
  if (length < 3) return;
  const last = charAt(length - 1);
  if (last == I) shortenDerivedI();
  else if (last == L) inRegion1("ational", "ate") || inRegion1("tional", "tion");
  else if (inRegion1("ization", "ize") || inRegion1("iveness", "ive") || inRegion1("fulness", "ful")) return;
  else if (inRegion1("ousness", "ous") || inRegion1("ation", "ate") || inRegion1("alism", "al")) return;
  else inRegion1("izer", "ize") || inRegion1("ator", "ate") || inRegion1("ogist", "og");
}

function shortenDerivedI(): void {
  if (inRegion1("biliti", "ble") || inRegion1("lessli", "less") || inRegion1("entli", "ent")) return;
  if (inRegion1("ousli", "ous") || inRegion1("aliti", "al") || inRegion1("iviti", "ive")) return;
  if (inRegion1("fulli", "ful") || inRegion1("enci", "ence") || inRegion1("anci", "ance")) return;
  if (inRegion1("abli", "able") || inRegion1("alli", "al") || inRegion1("bli", "ble")) return;
  if (ends("ogi")) {
    if (length - 3 >= region1 && length > 3 && charAt(length - 4) == L) length -= 1;
  } else if (ends("li") && length > 2 && length - 2 >= region1 && isLiEnding(charAt(length - 3))) {
    length -= 2;
  }
}

/** c d e g h k m n r t, as bits from `a` on. */
function isLiEnding(char: u32): bool {
  return char - A < 26 && ((0xa34dc >> (char - A)) & 1) != 0;
}

function shortenAdjective(): void {
  if (inRegion1("ational", "ate") || inRegion1("tional", "tion") || inRegion1("alize", "al")) return;
  if (inRegion1("icate", "ic") || inRegion1("iciti", "ic")) return;
  if (ends("ative")) {
    if (length - 5 >= region1 && length - 5 >= region2) length -= 5;
    return;
  }
  inRegion1("ical", "ic") || inRegion1("ness", "") || inRegion1("ful", "");
}

/** True: `suffix` was the longest that matches, so the step is over. */
function inRegion2(suffix: string): bool {
  if (!ends(suffix)) return false;
  const bytes = <u32>suffix.length;
  if (length - bytes >= region2) length -= bytes;
  return true;
}

function removeSuffix(): void {
  if (length < 2) return;
  const last = charAt(length - 1);
  if (last == E) {
    inRegion2("ance") ||
      inRegion2("ence") ||
      inRegion2("able") ||
      inRegion2("ible") ||
      inRegion2("ate") ||
      inRegion2("ive") ||
      inRegion2("ize");
  } else if (last == T) {
    inRegion2("ement") || inRegion2("ment") || inRegion2("ent") || inRegion2("ant");
  } else if (ends("ion")) {
    if (length > 3 && length - 3 >= region2 && (charAt(length - 4) == S || charAt(length - 4) == T)) length -= 3;
  } else {
    inRegion2("ism") || inRegion2("iti") || inRegion2("ous") || inRegion2("al") || inRegion2("er") || inRegion2("ic");
  }
}

function removeFinal(): void {
  if (length == 0) return;
  const last = charAt(length - 1);
  const before = length - 1;
  if (last == E) {
    if (before >= region2 || (before >= region1 && !isShortSyllable(before))) length = before;
  } else if (last == L && before >= region2 && before > 0 && charAt(before - 1) == L) {
    length = before;
  }
}
