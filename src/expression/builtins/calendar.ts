import type { Json } from "../../base/json.ts";
import { raise } from "../values/failure.ts";

/** jq's broken down time: year, month from 0, day, hours, minutes, seconds with fraction, weekday, day of the year. */
export interface Time {
  year: number;
  month: number;
  day: number;
  hours: number;
  minutes: number;
  seconds: number;
  weekday: number;
  yearday: number;
}

const DAY = 86_400;
export const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"] as const;
export const MONTHS = [
  "January",
  "February",
  "March",
  "April",
  "May",
  "June",
  "July",
  "August",
  "September",
  "October",
  "November",
  "December",
] as const;

/** Days from 1970-01-01 in the Gregorian calendar, for any month and day, inside their range or not. */
export function daysFrom(year: number, month: number, day: number): number {
  const shifted = year + Math.floor(month / 12);
  const place = ((month % 12) + 12) % 12;
  const y = place < 2 ? shifted - 1 : shifted;
  const era = Math.floor(y / 400);
  const ofEra = y - era * 400;
  const ofYear = Math.floor((153 * ((place + 10) % 12) + 2) / 5) + day - 1;
  return era * 146_097 + ofEra * 365 + Math.floor(ofEra / 4) - Math.floor(ofEra / 100) + ofYear - 719_468;
}

/** Seconds since 1970 as UTC. @throws beyond what jq's own library can say */
export function timeOf(seconds: number): Time {
  if (!Number.isFinite(seconds) || Math.abs(seconds) > 67_767_976_233_532_000) {
    throw raise("error converting number of seconds since epoch to datetime");
  }
  const whole = Math.floor(seconds);
  const days = Math.floor(whole / DAY);
  const rest = whole - days * DAY;
  const z = days + 719_468;
  const era = Math.floor(z / 146_097);
  const ofEra = z - era * 146_097;
  const yearOfEra = Math.floor(
    (ofEra - Math.floor(ofEra / 1460) + Math.floor(ofEra / 36_524) - Math.floor(ofEra / 146_096)) / 365,
  );
  const ofYear = ofEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const shifted = Math.floor((5 * ofYear + 2) / 153);
  const month = (shifted + 2) % 12;
  const year = yearOfEra + era * 400 + (month < 2 ? 1 : 0);
  return {
    year,
    month,
    day: ofYear - Math.floor((153 * shifted + 2) / 5) + 1,
    hours: Math.floor(rest / 3600),
    minutes: Math.floor((rest % 3600) / 60),
    seconds: (rest % 60) + (seconds - whole),
    weekday: (((days + 4) % 7) + 7) % 7,
    yearday: days - daysFrom(year, 0, 1),
  };
}

export function secondsOf(time: Time): number {
  const days = daysFrom(time.year, time.month, time.day);
  return days * DAY + time.hours * 3600 + time.minutes * 60 + Math.floor(time.seconds);
}

/** Weekday and day of the year from the date. */
export function complete(time: Time): Time {
  const days = daysFrom(time.year, time.month, time.day);
  return { ...time, weekday: (((days + 4) % 7) + 7) % 7, yearday: days - daysFrom(time.year, 0, 1) };
}

export function toArray(time: Time): Json[] {
  return [
    time.year,
    time.month,
    time.day,
    time.hours,
    time.minutes,
    time.seconds,
    time.weekday,
    time.yearday,
  ];
}

/** A broken down time that a program made; what is missing at the end is zero. */
export function fromArray(value: Json, name: string): Time {
  if (!Array.isArray(value)) throw raise(`${name} requires array inputs`);
  const part = (index: number): number => {
    // An absent year is the zero of C's `tm`.
    const item = value[index] ?? (index === 0 ? 1900 : 0);
    if (typeof item !== "number") throw raise(`${name} requires parsed datetime inputs`);
    return index === 5 ? item : Math.trunc(item);
  };
  return {
    year: part(0),
    month: part(1),
    day: part(2),
    hours: part(3),
    minutes: part(4),
    seconds: part(5),
    weekday: part(6),
    yearday: part(7),
  };
}
