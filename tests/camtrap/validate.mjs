/**
 * Is a folder a Camtrap DP 1.0.2 package? `node validate.mjs FOLDER SCHEMAS`: SCHEMAS holds the standard's own files.
 *
 * The profile is checked by Ajv, the CSV read by csv-parse: code that is not topi's. The two schemas that the profile
 * takes from elsewhere (Data Package, GeoJSON) stand in frictionless.mjs. Prints what is wrong, a line each; exit codes
 * are 0 valid, 2 not, 77 cannot tell (the packages of package.json are not installed), 1 a fault of this program.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { dataPackage, geojson } from './frictionless.mjs';
import { Table } from './table.mjs';

const [folder, schemas] = process.argv.slice(2);
const wrong = [];

async function peers() {
  try {
    const [ajv, formats, csv] = await Promise.all([
      import('ajv-draft-04'), import('ajv-formats'), import('csv-parse/sync')]);
    return { Ajv: ajv.default.default ?? ajv.default, formats: formats.default.default ?? formats.default,
      parse: csv.parse };
  } catch (error) {
    console.error(`skipped: run npm ci first (${error.message})`);
    process.exit(77);
  }
}

const json = (path) => JSON.parse(readFileSync(path, 'utf8'));

function checkProfile({ Ajv, formats }, described) {
  const ajv = new Ajv({ strict: false, allErrors: true, schemas: [dataPackage, geojson] });
  formats(ajv);
  const validate = ajv.compile(json(join(schemas, 'camtrap-dp-profile.json')));
  if (!validate(described))
    for (const error of validate.errors) wrong.push(`datapackage.json${error.instancePath}: ${error.message}`);
}

function readTable({ parse }, described, name) {
  const resources = described.resources?.filter((r) => r.name === name) ?? [];
  if (resources.length !== 1) {
    wrong.push(`datapackage.json: ${resources.length} resources are named ${name}`);
    return null;
  }
  const bytes = readFileSync(join(folder, resources[0].path));
  if (resources[0].bytes !== bytes.length) wrong.push(`${name}: has ${bytes.length} bytes`);
  if (resources[0].hash !== `sha256:${createHash('sha256').update(bytes).digest('hex')}`)
    wrong.push(`${name}: has another hash`);
  let rows;
  try {
    rows = parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    wrong.push(`${name}: ${error.message}`);
    return null;
  }
  const table = new Table(json(join(schemas, `${name}-table-schema.json`)), rows);
  wrong.push(...table.problems);
  return table;
}

/** Readers join media to events by deployment and time, so each must meet exactly one. */
function checkEvents(deployments, media, observations) {
  const places = new Map(deployments.rows.map((d) => [d.deploymentID,
    { start: Date.parse(d.deploymentStart), end: Date.parse(d.deploymentEnd), events: new Map() }]));
  for (const o of observations.rows) {
    const place = places.get(o.deploymentID);
    const event = { start: Date.parse(o.eventStart), end: Date.parse(o.eventEnd), type: o.observationType };
    if (place && !(place.start <= event.start && event.start <= event.end && event.end <= place.end))
      wrong.push(`observation ${o.observationID}: outside its deployment`);
    place?.events.set(o.eventID, event);
  }
  for (const m of media.rows) {
    const at = Date.parse(m.timestamp);
    const events = [...(places.get(m.deploymentID)?.events.values() ?? [])];
    const met = events.filter((e) => e.start <= at && at <= e.end);
    if (met.length !== 1) wrong.push(`media ${m.mediaID}: lies in ${met.length} events`);
    else if (met[0].type === 'human' && m.filePublic !== 'false')
      wrong.push(`media ${m.mediaID}: shows a person and is public`);
    if (m.exifData !== '') wrong.push(`media ${m.mediaID}: has EXIF`);
  }
}

/** What the standard says in words. */
function checkObservations(described, observations) {
  const listed = new Set(described.taxonomic?.map((t) => t.scientificName));
  const seen = new Set();
  for (const o of observations.rows) {
    const say = (what) => wrong.push(`observation ${o.observationID}: ${what}`);
    if (o.scientificName !== '') seen.add(o.scientificName);
    if (o.observationType !== 'animal' && o.scientificName !== '') say('a name, and no animal');
    if (['blank', 'unknown', 'unclassified'].includes(o.observationType) && o.count !== '') say('a count of nothing');
    if (o.classificationMethod !== 'machine' && o.classificationProbability !== '') say("a person's probability");
    if (o.observationType === 'unclassified' && o.classificationMethod !== '') say('classified and not');
    if (o.observationType !== 'unclassified' && o.classifiedBy === '') say('nobody classified it');
    if (o.observationLevel === 'event' && o.mediaID !== '') say('an event with one photograph');
  }
  for (const name of seen) if (!listed.has(name)) wrong.push(`taxonomic: ${name} is missing`);
  for (const name of listed) if (!seen.has(name)) wrong.push(`taxonomic: ${name} was not observed`);
}

const packages = await peers();
const described = json(join(folder, 'datapackage.json'));
checkProfile(packages, described);
const [deployments, media, observations] = ['deployments', 'media', 'observations']
  .map((name) => readTable(packages, described, name));
if (deployments && media && observations) {
  wrong.push(...media.foreign({ deployments }), ...observations.foreign({ deployments, media }));
  checkEvents(deployments, media, observations);
  checkObservations(described, observations);
}
for (const line of wrong) console.log(line);
process.exit(wrong.length ? 2 : 0);
