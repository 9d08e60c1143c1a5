/**
 * A table against its Table Schema (https://specs.frictionlessdata.io/table-schema/), strictly: the columns are the
 * schema's, in its order, and a type or constraint that is not known here is an error of this file.
 */
const TYPES = {
  string: () => true,
  any: () => true,
  number: (text) => /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text),
  integer: (text) => /^[+-]?\d+$/.test(text),
  boolean: (text) => text === 'true' || text === 'false',
  datetime: isDatetime,
};

/** %Y-%m-%dT%H:%M:%S%z, of a day that the calendar has. */
function isDatetime(text) {
  const m = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(Z|[+-]\d\d:\d\d)$/.exec(text);
  if (!m) return false;
  const [year, month, day, hour, minute, second] = m.slice(1, 7).map(Number);
  const date = new Date(Date.UTC(year, month - 1, day, hour, minute, second));
  return date.getUTCMonth() === month - 1 && date.getUTCDate() === day && hour < 24 && minute < 60 && second < 60;
}

const CONSTRAINTS = {
  required: () => true, // of a cell that is empty: see check()
  unique: () => true, // of a column: see constructor
  minimum: (text, least) => Number(text) >= least,
  maximum: (text, most) => Number(text) <= most,
  enum: (text, words) => words.includes(text),
  pattern: (text, pattern) => new RegExp(`^(?:${pattern})$`, 'u').test(text),
};

export class Table {
  /**
   * @param {object} schema
   * @param {string[][]} cells the header first
   */
  constructor(schema, [header, ...cells]) {
    this.schema = schema;
    this.problems = [];
    const names = schema.fields.map((field) => field.name);
    if (header.join() !== names.join()) this.problems.push(`${schema.name}: the columns are ${header.join()}`);
    this.rows = cells.map((row) => Object.fromEntries(header.map((name, i) => [name, row[i]])));
    for (const field of schema.fields) {
      this.rows.forEach((row, i) => this.check(field, row[field.name] ?? '', i + 2));
      if (field.constraints?.unique || schema.primaryKey === field.name) this.unique(field.name);
    }
  }

  check(field, text, line) {
    const say = (what) => this.problems.push(`${this.schema.name}:${line}: ${field.name} '${text}' ${what}`);
    if (this.schema.missingValues.includes(text)) {
      if (field.constraints?.required || this.schema.primaryKey === field.name) say('is required');
      return;
    }
    if (!TYPES[field.type](text)) say(`is no ${field.type}`);
    for (const [name, value] of Object.entries(field.constraints ?? {}))
      if (!CONSTRAINTS[name](text, value)) say(`breaks ${name} ${value}`);
  }

  unique(name) {
    const seen = new Set();
    for (const row of this.rows) {
      if (seen.has(row[name])) this.problems.push(`${this.schema.name}: ${name} '${row[name]}' stands twice`);
      seen.add(row[name]);
    }
  }

  /** @returns {string[]} what foreign keys point to nothing */
  foreign(tables) {
    return (this.schema.foreignKeys ?? []).flatMap(({ fields, reference }) => {
      const there = new Set(tables[reference.resource].rows.map((row) => row[reference.fields]));
      return this.rows.filter((row) => row[fields] !== '' && !there.has(row[fields]))
        .map((row) => `${this.schema.name}: ${fields} '${row[fields]}' is not in ${reference.resource}`);
    });
  }
}
