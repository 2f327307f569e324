import type { Json } from "../../base/json.ts";
import { charge, spend } from "../meter.ts";
import { raise } from "../values/failure.ts";
import {
  complete,
  DAYS,
  daysFrom,
  fromArray,
  MONTHS,
  secondsOf,
  type Time,
  timeOf,
  toArray,
} from "./calendar.ts";
import { of, type Table, with1 } from "./define.ts";

const two = (value: number, fill = "0"): string => String(value).padStart(2, fill);

/** Week of the year by ISO 8601, and the year it belongs to. */
function isoWeek(time: Time): { year: number; week: number } {
  const weekday = (time.weekday + 6) % 7;
  const week = Math.floor((time.yearday - weekday + 10) / 7);
  if (week < 1)
    return isoWeek({ ...lastDayOf(time.year - 1), weekday: (time.weekday - time.yearday - 1 + 371) % 7 });
  if (
    week === 53 &&
    daysFrom(time.year + 1, 0, 1) - daysFrom(time.year, 0, 1) - time.yearday <= 3 - weekday
  ) {
    return { year: time.year + 1, week: 1 };
  }
  return { year: time.year, week };
}

function lastDayOf(year: number): Time {
  return complete({ year, month: 11, day: 31, hours: 0, minutes: 0, seconds: 0, weekday: 0, yearday: 0 });
}

const FIELDS: Record<string, (time: Time) => string> = {
  a: (t) => (DAYS[t.weekday] ?? "?").slice(0, 3),
  A: (t) => DAYS[t.weekday] ?? "?",
  b: (t) => (MONTHS[t.month] ?? "?").slice(0, 3),
  B: (t) => MONTHS[t.month] ?? "?",
  h: (t) => (MONTHS[t.month] ?? "?").slice(0, 3),
  c: (t) => formatTime(t, "%a %b %e %H:%M:%S %Y"),
  C: (t) => two(Math.floor(t.year / 100)),
  d: (t) => two(t.day),
  D: (t) => formatTime(t, "%m/%d/%y"),
  e: (t) => two(t.day, " "),
  F: (t) => formatTime(t, "%Y-%m-%d"),
  g: (t) => two(isoWeek(t).year % 100),
  G: (t) => String(isoWeek(t).year),
  H: (t) => two(t.hours),
  I: (t) => two(t.hours % 12 || 12),
  j: (t) => String(t.yearday + 1).padStart(3, "0"),
  k: (t) => two(t.hours, " "),
  l: (t) => two(t.hours % 12 || 12, " "),
  m: (t) => two(t.month + 1),
  M: (t) => two(t.minutes),
  n: () => "\n",
  p: (t) => (t.hours < 12 ? "AM" : "PM"),
  P: (t) => (t.hours < 12 ? "am" : "pm"),
  r: (t) => formatTime(t, "%I:%M:%S %p"),
  R: (t) => formatTime(t, "%H:%M"),
  s: (t) => String(secondsOf(t)),
  S: (t) => two(Math.floor(t.seconds)),
  t: () => "\t",
  T: (t) => formatTime(t, "%H:%M:%S"),
  u: (t) => String(t.weekday || 7),
  U: (t) => two(Math.floor((t.yearday + 7 - t.weekday) / 7)),
  V: (t) => two(isoWeek(t).week),
  w: (t) => String(t.weekday),
  W: (t) => two(Math.floor((t.yearday + 7 - ((t.weekday + 6) % 7)) / 7)),
  x: (t) => formatTime(t, "%m/%d/%y"),
  X: (t) => formatTime(t, "%H:%M:%S"),
  y: (t) => two(((t.year % 100) + 100) % 100),
  Y: (t) => (t.year > 9999 ? `+${t.year}` : String(t.year).padStart(4, "0")),
  z: () => "+0000",
  Z: () => "UTC",
  "%": () => "%",
};

function formatTime(time: Time, format: string): string {
  spend(format.length);
  return format.replace(/%[EO]?(.)/gs, (whole, letter: string) =>
    Object.hasOwn(FIELDS, letter) ? FIELDS[letter]!(time) : whole,
  );
}

const SPACE = /\s/;

/** C's `strptime` in the C locale. The rest of the text that no directive took, or null where the text does not fit. */
function scanTime(
  text: string,
  format: string,
  time: Time & { offset: number; afternoon: boolean | null },
): string | null {
  let at = 0;
  const skipBlank = (): void => {
    while (at < text.length && SPACE.test(text[at]!)) at++;
  };
  const number = (most: number, low: number, high: number, signed = false): number | null => {
    skipBlank();
    const match = (signed ? /^[+-]?\d+/ : /^\d+/).exec(text.slice(at, at + most));
    if (match === null) return null;
    const value = Number(match[0]);
    if (value < low || value > high) return null;
    at += match[0].length;
    return value;
  };
  const name = (names: readonly string[]): number | null => {
    const rest = text.slice(at, at + 12).toLowerCase();
    for (let index = 0; index < names.length; index++) {
      const full = names[index]!.toLowerCase();
      const length = rest.startsWith(full) ? full.length : rest.startsWith(full.slice(0, 3)) ? 3 : 0;
      if (length === 0) continue;
      at += length;
      return index;
    }
    return null;
  };
  const inner = (pattern: string): boolean => {
    const rest = scanTime(text.slice(at), pattern, time);
    if (rest === null) return false;
    at = text.length - rest.length;
    return true;
  };
  const set = <K extends "year" | "month" | "day" | "hours" | "minutes" | "seconds" | "weekday" | "yearday">(
    key: K,
    value: number | null,
    plus = 0,
  ): boolean => {
    if (value === null) return false;
    time[key] = value + plus;
    return true;
  };
  const zone = (): boolean => {
    skipBlank();
    if (text[at] === "Z") {
      at++;
      return true;
    }
    const match = /^([+-])(\d\d):?(\d\d)?/.exec(text.slice(at, at + 6));
    if (match === null) return false;
    at += match[0].length;
    const offset = Number(match[2]) * 3600 + Number(match[3] ?? 0) * 60;
    time.offset = match[1] === "-" ? -offset : offset;
    return true;
  };
  const directive = (letter: string): boolean => {
    switch (letter) {
      case "Y":
        return set("year", number(5, -9999, 99_999, true));
      case "y": {
        const value = number(2, 0, 99);
        return set("year", value === null ? null : value + (value < 69 ? 2000 : 1900));
      }
      case "C": {
        const value = number(2, 0, 99);
        return set("year", value === null ? null : value * 100 + (time.year % 100));
      }
      case "m":
        return set("month", number(2, 1, 12), -1);
      case "d":
      case "e":
        return set("day", number(2, 1, 31));
      case "H":
      case "k":
        return set("hours", number(2, 0, 23));
      case "I":
      case "l": {
        time.afternoon ??= false;
        return set("hours", number(2, 1, 12));
      }
      case "M":
        return set("minutes", number(2, 0, 59));
      case "S":
        return set("seconds", number(2, 0, 61));
      case "j":
        return set("yearday", number(3, 1, 366), -1);
      case "w":
        return set("weekday", number(1, 0, 6));
      case "u": {
        const value = number(1, 1, 7);
        return set("weekday", value === null ? null : value % 7);
      }
      case "U":
      case "W":
      case "V":
      case "g":
        return number(2, 0, 99) !== null;
      case "G":
        return number(4, 0, 9999) !== null;
      case "a":
      case "A":
        return set("weekday", name(DAYS));
      case "b":
      case "B":
      case "h":
        return set("month", name(MONTHS));
      case "p":
      case "P": {
        const word = text.slice(at, at + 2).toLowerCase();
        if (word !== "am" && word !== "pm") return false;
        at += 2;
        time.afternoon = word === "pm";
        return true;
      }
      case "s": {
        const value = number(20, -1e15, 1e15, true);
        if (value === null) return false;
        Object.assign(time, timeOf(value));
        return true;
      }
      case "Z": {
        const match = /^[A-Za-z]+/.exec(text.slice(at, at + 16));
        if (match !== null) at += match[0].length;
        return match !== null;
      }
      case "z":
        return zone();
      case "n":
      case "t":
        skipBlank();
        return true;
      case "T":
        return inner("%H:%M:%S");
      case "R":
        return inner("%H:%M");
      case "r":
        return inner("%I:%M:%S %p");
      case "D":
      case "x":
        return inner("%m/%d/%y");
      case "F":
        return inner("%Y-%m-%d");
      case "X":
        return inner("%H:%M:%S");
      case "c":
        return inner("%a %b %e %H:%M:%S %Y");
      case "%":
        return text[at++] === "%";
      default:
        return false;
    }
  };
  for (let i = 0; i < format.length; i++) {
    spend(1);
    const character = format[i]!;
    if (character === "%") {
      if (format[i + 1] === "E" || format[i + 1] === "O") i++;
      if (!directive(format[++i] ?? "")) return null;
    } else if (SPACE.test(character)) skipBlank();
    else if (text[at++] !== character) return null;
  }
  return text.slice(at);
}

function parseTime(input: Json, format: Json): Json {
  if (typeof input !== "string" || typeof format !== "string") {
    throw raise("strptime/1 requires string inputs and arguments");
  }
  charge(128);
  const time = {
    ...{ year: 1900, month: 0, day: 0, hours: 0, minutes: 0, seconds: 0, weekday: 0, yearday: -1 },
    offset: 0,
    afternoon: null as boolean | null,
  };
  const rest = scanTime(input, format, time);
  if (rest !== null && rest !== "" && !SPACE.test(rest[0]!)) {
    throw raise(`date "${input}" does not match format "${format}"`);
  }
  if (rest === null) throw raise(`date "${input}" does not match format "${format}"`);
  if (time.afternoon !== null) time.hours = (time.hours % 12) + (time.afternoon ? 12 : 0);
  if (time.day === 0 && time.yearday >= 0) {
    const found = timeOf((daysFrom(time.year, 0, 1) + time.yearday) * 86_400);
    time.month = found.month;
    time.day = found.day;
  }
  return toArray(complete(time));
}

function timeFrom(input: Json, name: string): Time {
  if (typeof input === "number") return timeOf(input);
  if (!Array.isArray(input)) throw raise(`${name} requires parsed datetime inputs`);
  return fromArray(input, name);
}

function formatFrom(name: string) {
  return (input: Json, format: Json): Json => {
    const time = timeFrom(input, name);
    if (typeof format !== "string") throw raise(`${name} requires a string format`);
    const text = formatTime(time, format);
    charge(text.length);
    return text;
  };
}

const brokenDown = (name: string) =>
  of((input) => {
    if (typeof input !== "number") throw raise(`${name}() requires numeric inputs`);
    charge(80);
    return toArray(timeOf(input));
  });

/** Dates. Local time is UTC: what a program gives must not depend on the machine. */
export const DATES: Table = {
  "gmtime/0": brokenDown("gmtime"),
  "localtime/0": brokenDown("localtime"),
  "mktime/0": of((input) => secondsOf(fromArray(input, "mktime"))),
  "strftime/1": with1(formatFrom("strftime/1")),
  "strflocaltime/1": with1(formatFrom("strflocaltime/1")),
  "strptime/1": with1(parseTime),
};
