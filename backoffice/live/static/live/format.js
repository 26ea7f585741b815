// Numbers and times as people read them. Money comes in minor units, odds in thousandths, times in ms since 1970.

const DIGITS = JSON.parse(document.documentElement.dataset.minorDigits ?? "{}");
const LOCALE = "en-GB";
const NOTHING = "–";
const LARGE = 100_000;

const whole = new Intl.NumberFormat(LOCALE, { maximumFractionDigits: 0 });
const oneDigit = new Intl.NumberFormat(LOCALE, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const percent = new Intl.NumberFormat(LOCALE, { style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1 });
const time = new Intl.DateTimeFormat(LOCALE, { hour: "2-digit", minute: "2-digit", second: "2-digit", timeZone: "UTC" });
const day = new Intl.DateTimeFormat(LOCALE, {
  day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", timeZone: "UTC",
});
const amounts = new Map();

const told = (format) => (value) => (value === null || value === undefined ? NOTHING : format(value));
// The hyphen of a number is a minus sign; that of a text, such as an id, stays what it is.
const toldBy = (numbers, unit = 1) => told((value) => numbers.format(value / unit).replace("-", "−"));

export const count = toldBy(whole);
export const rate = toldBy(oneDigit);
export const share = toldBy(percent);
export const clock = told((value) => time.format(value));
export const moment = told((value) => day.format(value));
export const text = told(String);

export function money(minor, currency) {
  return toldBy(amountFormat(currency), 10 ** digitsOf(currency))(minor);
}

// To the last minor unit while that is worth the room.
export function figure(minor, currency) {
  const isLarge = Math.abs(minor ?? 0) >= LARGE * 10 ** digitsOf(currency);
  return isLarge ? roughMoney(minor, currency) : money(minor, currency);
}

// Whole units are enough where there is no room: volumes, sizes.
export function roughMoney(minor, currency) {
  return toldBy(whole, 10 ** digitsOf(currency))(minor);
}

// Odds as the market quotes them: no more digits than it takes, two at least.
export const odds = told((value) => (value / 1000).toFixed(value % 10 ? 3 : 2));

export function age(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  if (seconds < 172800) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  return `${Math.floor(seconds / 86400)} d ${Math.floor((seconds % 86400) / 3600)} h`;
}

// The words of a key or a field: "match_result" is "match result".
export function words(name) {
  return name.replaceAll("_", " ");
}

function digitsOf(currency) {
  return DIGITS[currency] ?? 2;
}

function amountFormat(currency) {
  if (!amounts.has(currency)) {
    const digits = digitsOf(currency);
    amounts.set(
      currency,
      new Intl.NumberFormat(LOCALE, { minimumFractionDigits: digits, maximumFractionDigits: digits }),
    );
  }
  return amounts.get(currency);
}
