// The page on a slow line: what it fetches before the first label can be given, and how much of that is script and style.
// Seconds are printed and not judged: they belong to the machine.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Real, missing } from './real.mjs';
import { launch } from './support.mjs';

const LINE = { offline: false, latency: 150, downloadThroughput: 1.6e6 / 8, uploadThroughput: 0.75e6 / 8 };
const MOST_BYTES = 150_000;
const MOST_REQUESTS = 10;
const N_TIMES = 5;
const skip = await missing();

/** Opens a screen with an empty cache on the slow line. @returns what had come when `selector` could be clicked, and when */
async function visit(browser, url, selector) {
	const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
	const page = await context.newPage();
	const line = await context.newCDPSession(page);
	await line.send('Network.enable');
	await line.send('Network.emulateNetworkConditions', LINE);
	const requests = new Map();
	line.on('Network.requestWillBeSent', ({ requestId, request, wallTime, timestamp }) =>
		requests.set(requestId, { path: new URL(request.url).pathname, ahead_s: wallTime - timestamp, end_ms: Infinity, encoding: '', n_bytes: 0 }));
	line.on('Network.responseReceived', ({ requestId, response }) => {
		if (requests.has(requestId))
			requests.get(requestId).encoding = response.headers['Content-Encoding'] ?? '';
	});
	line.on('Network.loadingFinished', ({ requestId, encodedDataLength, timestamp }) => {
		const one = requests.get(requestId);
		if (one)
			Object.assign(one, { n_bytes: encodedDataLength, end_ms: 1000 * (timestamp + one.ahead_s) });
	});
	await page.addInitScript((wanted) => {
		const look = () => document.querySelector(wanted)?.checkVisibility() ? (globalThis.topi_at = { time_ms: performance.now(), origin_ms: performance.timeOrigin }) : requestAnimationFrame(look);
		requestAnimationFrame(look);
	}, selector);
	await page.goto(url);
	const { time_ms, origin_ms } = await (await page.waitForFunction(() => globalThis.topi_at, null, { timeout: 60_000 })).jsonValue();
	const until = [...requests.values()].filter((one) => one.end_ms < origin_ms + time_ms).map((one) => ({ ...one }));
	await context.close();
	return { time_ms, requests: until };
}

const sum = (requests) => requests.reduce((n, one) => n + one.n_bytes, 0);
const ofPage = (requests) => requests.filter(({ path }) => path.startsWith('/static/'));

describe('the page on a line of 1.6 Mbit/s and 150 ms', { timeout: 240_000, skip: skip ?? false }, () => {
	let browser, real;

	before(async () => {
		browser = await launch();
		real = await Real.make(browser, 4, 10_000);
	});
	after(async () => {
		await real?.remove();
		await browser.close();
	});

	it('lets a first label be given after few requests', async (test) => {
		const visits = [];
		for (let i = 0; i < N_TIMES; i++)
			visits.push(await visit(browser, `${real.url}#/p/mara`, '.work:not([hidden]) .choice:enabled'));
		const times_s = visits.map((one) => one.time_ms / 1000).sort((a, b) => a - b);
		const { requests } = visits[0];
		test.diagnostic(`first label after ${times_s.map((s) => s.toFixed(2)).join(' ')} s, median ${times_s[Math.floor(N_TIMES / 2)].toFixed(2)} s`);
		test.diagnostic(requests.map(({ path, n_bytes }) => `${path} ${n_bytes}`).join(', '));
		assert.ok(requests.length <= MOST_REQUESTS, JSON.stringify(requests));
		const kinds = requests.map(({ path }) => path);
		assert.ok(kinds.some((path) => path.endsWith('1280.jpg')), 'the picture is there');
		assert.ok(!kinds.some((path) => path.endsWith('320.jpg')), 'no small picture comes before it');
	});

	for (const [screen, hash, selector] of [['landing', '', '.card'], ['labelling', '#/p/mara', '.work:not([hidden]) .choice:enabled']])
		it(`takes at most 150 KB of script and style for the ${screen} screen`, async (test) => {
			const { requests } = await visit(browser, `${real.url}${hash}`, selector);
			const parts = ofPage(requests);
			test.diagnostic(`${screen}: ${sum(parts)} bytes of script and style, ${sum(requests)} in all, ${requests.length} requests`);
			assert.ok(parts.some(({ path }) => path.endsWith('.js')) && parts.some(({ path }) => path.endsWith('.css')));
			assert.ok(sum(parts) > 0 && sum(parts) <= MOST_BYTES);
			assert.ok(parts.every(({ path, encoding }) => encoding === 'gzip' || path.endsWith('.svg')), JSON.stringify(parts));
		});

	it('fetches script and style once for all visits', async () => {
		const context = await browser.newContext();
		const page = await context.newPage();
		await page.goto(real.url);
		await page.waitForSelector('.card');
		const again = [];
		const line = await context.newCDPSession(page);
		await line.send('Network.enable');
		line.on('Network.responseReceived', ({ response }) =>
			!response.fromDiskCache && !response.fromPrefetchCache && again.push(new URL(response.url).pathname));
		await page.goto('about:blank');
		await page.goto(real.url);
		await page.waitForSelector('.card');
		assert.deepEqual(again.filter((path) => /\.(js|css)$/.test(path)), []);
		await context.close();
	});
});
