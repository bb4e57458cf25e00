// Ids of orders and lines have the type that they have in JSON: 42 and "42" are different ids. In
// fields and on the page, digits are a number and other text is a string; a string that could be
// taken for something else is in quotes, as in JSON.

export function readId(text) {
  const trimmed = text.trim();
  const number = Number(trimmed);
  if (Number.isSafeInteger(number) && String(number) === trimmed) return number;
  if (trimmed.startsWith('"')) {
    try {
      const value = JSON.parse(trimmed);
      if (typeof value === "string") return value;
    } catch {
      // Not JSON: a string that begins with a quotation mark.
    }
  }
  return trimmed;
}

export function writeId(id) {
  if (typeof id === "number") return String(id);
  return id !== "" && readId(id) === id ? id : JSON.stringify(id);
}
