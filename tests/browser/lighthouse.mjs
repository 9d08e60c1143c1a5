// Lighthouse's scores of the landing and the labelling page of `topi serve`, the median of three (tools/bench/lighthouse.sh).
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Real } from './real.mjs';
import { launch } from './support.mjs';

const run = promisify(execFile);
const KINDS = ['performance', 'accessibility', 'best-practices'];
const [folder] = process.argv.slice(2);

const browser = await launch();
const real = await Real.make(browser, 8, 10_000);
await browser.close();
for (const [name, hash] of [['landing', ''], ['labelling', '#/p/mara']]) {
	const scores = [];
	const weak = new Set();
	for (let i = 0; i < 3; i++) {
		const out = join(folder, 'report.json');
		await run(join(folder, 'node_modules/.bin/lighthouse'), [`${real.url}${hash}`, '--quiet', '--output=json', `--output-path=${out}`,
			`--only-categories=${KINDS}`, '--chrome-flags=--headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage'],
		{ env: { ...process.env, CHROME_PATH: '/usr/bin/chromium' } });
		const report = JSON.parse(await readFile(out, 'utf8'));
		scores.push(KINDS.map((kind) => Math.round(100 * report.categories[kind].score)));
		for (const audit of Object.values(report.audits))
			if (audit.score !== null && audit.score < 0.9)
				weak.add(`${audit.id} ${audit.displayValue ?? ''}`.trim());
	}
	const median = (k) => scores.map((row) => row[k]).sort((a, b) => a - b)[1];
	console.log(`${name}: ${KINDS.map((kind, k) => `${kind} ${median(k)} (${scores.map((row) => row[k]).join(' ')})`).join(', ')}`);
	console.log(`  below .9: ${[...weak].join('; ') || 'nothing'}`);
}
await real.remove();
