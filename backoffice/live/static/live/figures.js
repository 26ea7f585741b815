// The panels with the operator's figures and the platform's health.

import { count, money, rate, share, text, words } from "./format.js";
import { Table, soon, write } from "./paint.js";

const byName = new Intl.Collator("en", { numeric: true });

const name = (label) => ({ isHeader: true, text: label });
const number = (shown, value) => ({ className: "number", text: shown, value });

// The rows under "section/…", each with the parts of its key, in the order of their keys.
function section(rows, wanted) {
  return [...rows]
    .filter(([key]) => key.startsWith(`${wanted}/`))
    .map(([key, row]) => [key, { ...row, parts: key.split("/").slice(1) }])
    .sort(([one], [other]) => byName.compare(one, other));
}

const vertical = (row) => words(row.parts[0]);
const currency = (row) => row.parts[1];

export function figuresPanel(root, topic) {
  const table = (id, columns) => new Table(root.querySelector(`#${id}`), columns);
  const panels = {
    ggr: table("ggr", [
      name(vertical), { text: currency }, number((row) => money(row.amount, currency(row)), (row) => row.amount),
    ]),
    stake: table("stake", [
      name(vertical), { text: currency }, number((row) => money(row.mean, currency(row)), (row) => row.mean),
      number((row) => count(row.count), (row) => row.count),
    ]),
    payments: table("payments", [
      name((row) => row.parts[0]), number((row) => share(row.rate), (row) => row.rate),
      number((row) => count(row.succeeded), (row) => row.succeeded),
      number((row) => count(row.failed), (row) => row.failed),
    ]),
    active: table("active", [name((row) => row.parts[0]), number((row) => count(row.players), (row) => row.players)]),
  };
  const tile = (id, shown, value, quiet) => write(root.querySelector(`#${id}`), shown, value, quiet);
  const paint = (quiet) => {
    for (const [wanted, panel] of Object.entries(panels)) panel.show(section(topic.rows, wanted), quiet);
    const players = section(topic.rows, "active").reduce((sum, [, row]) => sum + row.players, 0);
    const logins = topic.rows.get("logins") ?? {};
    tile("players", count(players), players, quiet);
    tile("logins-ok", count(logins.succeeded), logins.succeeded, quiet);
    tile("logins-failed", count(logins.failed), logins.failed, quiet);
  };
  return () => soon(paint);
}

// What the tiles show; every other fact of the health topic gets a line of the table, whatever it is.
const TILES = ["events_per_second", "dead_letters", "at"];

export function healthPanel(root, topic) {
  const facts = new Table(root.querySelector("#facts"), [
    name((row) => row.label),
    number((row) => row.shown, (row) => row.value),
  ]);
  const paint = (quiet) => {
    const value = (key) => topic.rows.get(key)?.value;
    const tile = (id, shown, number) => write(root.querySelector(`#${id}`), shown, number, quiet);
    const lag = section(topic.rows, "lag").reduce((sum, [, row]) => sum + (row.value ?? 0), 0);
    const halted = section(topic.rows, "halted");
    tile("rate", rate(value("events_per_second")), value("events_per_second"));
    tile("lag", count(lag), lag);
    tile("dead-letters", count(value("dead_letters")), value("dead_letters"));
    tile("halted", count(halted.length), halted.length);
    root.querySelector("#halted").closest(".tile").dataset.state = halted.length ? "bad" : "";
    const lines = [...topic.rows].filter(([key]) => !TILES.includes(key)).flatMap(([key, row]) => factLines(key, row));
    facts.show(lines.sort(([one], [other]) => byName.compare(one, other)), quiet);
  };
  return () => soon(paint);
}

function factLines(key, row) {
  const label = words(key.replaceAll("/", " · "));
  return Object.entries(row).map(([field, value]) => [
    `${key} ${field}`,
    {
      label: field === "value" ? label : `${label} · ${words(field)}`,
      value,
      shown: typeof value === "number" ? (Number.isInteger(value) ? count(value) : rate(value)) : text(value),
    },
  ]);
}
