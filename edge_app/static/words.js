// How things are called on the page.

// "right" is said already where the region's name begins with it.
export function place(match) {
  if (!match.region) return "whole image";
  const said = match.region.startsWith("right ") || match.region.startsWith("left ");
  return said || !match.laterality ? match.region : `${match.region} · ${match.laterality}`;
}

export const percent = (part) => `${Math.round(part * 100)}%`;
// A probability: rounding makes none certain.
export const chance = (part) => (part > 0.99 ? ">99%" : part < 0.01 ? "<1%" : percent(part));
export const number = (value) => value.toLocaleString("en");
export const count = (value, one, many = `${one}s`) => `${number(value)} ${value === 1 ? one : many}`;

export function who(record) {
  return [record.date, record.sex, record.age == null ? "" : `${Math.round(record.age)} y`, record.view === "UNKNOWN" ? "" : record.view].filter(Boolean).join(" · ");
}

// What a case's report states where, or as, it was not asked for.
export function misfit(hit) {
  const found = hit.regions.map((match) => match.mismatch).find(Boolean);
  return found ? `${found.kind}: ${found.finding}${found.region ? ` in ${found.region}` : ""}` : "";
}
