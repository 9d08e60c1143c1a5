/**
 * What Camtrap DP's profile takes from elsewhere by address, written from the specifications' text, so that a package
 * can be checked without a network: Data Package (https://specs.frictionlessdata.io/data-package/) and GeoJSON (RFC 7946).
 */
const text = { type: 'string' };
const uri = { type: 'string', format: 'uri' };
const name = { type: 'string', pattern: '^[-a-z0-9._/]+$' };
/** A path inside the package, or an address. */
const path = { type: 'string', pattern: '^(https?://.+|(?!\\.?\\.?/|~|.*\\.\\./).+)$' };
const list = (items) => ({ type: 'array', minItems: 1, items });
const object = (required, properties) => ({ type: 'object', required, properties });

export const dataPackage = {
  $schema: 'http://json-schema.org/draft-04/schema#',
  id: 'https://specs.frictionlessdata.io/schemas/data-package.json',
  ...object(['resources'], {
    profile: text, name, id: text, title: text, description: text, version: text, image: text, homepage: uri,
    created: { type: 'string', format: 'date-time' },
    keywords: list(text),
    contributors: list(object(['title'], {
      title: text, path, organization: text, role: text, email: { type: 'string', format: 'email' } })),
    licenses: list({
      type: 'object', properties: { name: { type: 'string', pattern: '^[-a-zA-Z0-9._]+$' }, path, title: text },
      anyOf: [{ required: ['name'] }, { required: ['path'] }] }),
    sources: { type: 'array', items: object(['title'], { title: text, path, email: { type: 'string', format: 'email' } }) },
    resources: list({
      ...object(['name'], {
        name, path: { anyOf: [path, list(path)] }, profile: text, title: text, description: text, encoding: text,
        schema: { type: ['string', 'object'] }, format: text,
        mediatype: { type: 'string', pattern: '^.+/.+$' }, bytes: { type: 'integer' },
        hash: { type: 'string', pattern: '^([^:]+:[^:]+|[0-9a-fA-F]{32})$' } }),
      oneOf: [{ required: ['path'] }, { required: ['data'] }] }),
  }),
};

const position = { type: 'array', minItems: 2, maxItems: 3, items: { type: 'number' } };
const line = { type: 'array', minItems: 2, items: position };
const ring = { type: 'array', minItems: 4, items: position };
const shape = (type, coordinates) => object(['type', 'coordinates'], { type: { enum: [type] }, coordinates });

export const geojson = {
  $schema: 'http://json-schema.org/draft-04/schema#',
  id: 'http://json.schemastore.org/geojson.json',
  oneOf: [shape('Point', position), shape('MultiPoint', { type: 'array', items: position }),
    shape('LineString', line), shape('MultiLineString', { type: 'array', items: line }),
    shape('Polygon', { type: 'array', items: ring }),
    shape('MultiPolygon', { type: 'array', items: { type: 'array', items: ring } })],
};
