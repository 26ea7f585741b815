// Who is there, and who gets in.

import { count } from "../live/format.js";
import { Table, soon, write } from "../live/paint.js";
import { name, number, section } from "../live/sections.js";

export function panel(root, page) {
  const active = new Table(root.querySelector("#active"), [
    name((row) => row.parts[0]),
    number((row) => count(row.players), (row) => row.players),
  ]);
  const figures = page.watch("figures", () => soon(paint));
  const paint = (quiet) => {
    const players = section(figures.rows, "active");
    const logins = figures.rows.get("logins") ?? {};
    const tile = (id, value) => write(root.querySelector(`#${id}`), count(value), value, quiet);
    active.show(players, quiet);
    tile("players", players.reduce((sum, [, row]) => sum + row.players, 0));
    tile("logins-ok", logins.succeeded);
    tile("logins-failed", logins.failed);
  };
}
