/**
 * What the kernel's calls answer when they do not answer an offset or a count: negative numbers.
 * The wrapper turns them into words; nothing in the kernel throws.
 */

export const OK: i32 = 0;
/** The memory that was set aside at the start does not hold it. Nothing was changed. */
export const CAPACITY: i32 = -1;
export const BAD_MAGIC: i32 = -2;
export const BAD_VERSION: i32 = -3;
/** A length or an offset points outside its section, or does not agree with another. */
export const BAD_LENGTH: i32 = -4;
export const BAD_CHECKSUM: i32 = -5;
/** Terms, documents or rows are not ascending. */
export const BAD_ORDER: i32 = -6;
/** A number is not finite, not positive, or out of its range. */
export const BAD_VALUE: i32 = -7;
/** The caller asked for something that does not exist. */
export const BAD_ARGUMENT: i32 = -8;
/** The postings of a term were not brought along. */
export const NOT_READ: i32 = -9;
