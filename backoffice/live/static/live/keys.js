// Keys of rows, made of parts that may be any text; the same as backoffice/live/keys.py.

export const keyOf = (...parts) => parts.map((part) => part.replace(/[%/]/g, (each) => encodeURIComponent(each))).join("/");
export const partsOf = (key) => key.split("/").map(decodeURIComponent);
