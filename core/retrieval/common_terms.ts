/**
 * English function words that the index keeps: question words, auxiliaries, pronouns, and words of place, time and
 * degree. In a question they say how it is asked, not what about. The analyzer drops only Lucene's few stop words, so
 * that a text can be found by any other word; what these are worth is decided when a query is weighed.
 *
 * They stand here as the analyzer leaves them (`whi` is “why”). Left out: words with a meaning of their own, as “may”,
 * “will” and “mine”.
 */
export const COMMON_TERMS: ReadonlySet<string> = new Set(
  (
    "what when where which who whom whose whi how " +
    "am been be were do doe did done has have had can could should would might must shall ought " +
    "i me my myself we us our ourselv you your yourself yourselv he him his himself she her herself it itself " +
    "them their themselv " +
    "about abov after again against all also ani becaus befor below between both down dure each few from further here " +
    "just more most onc onli other out over own same so some than too under until up veri while yet"
  ).split(" "),
);
