/** A fixed action has looked, and still does not know what it did (`EX_TEMPFAIL` of sysexits.h): its runner says so too. */
export const OUTCOME_UNKNOWN_EXIT = 75;
