// The browser that the tests drive, and small steps that many of them take.
import assert from 'node:assert/strict';
import { after, afterEach, before } from 'node:test';
import { Mock } from './mock.mjs';

const CHROMIUM = '/usr/bin/chromium';
const ARGS = ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update',
	'--disable-sync', '--no-first-run', '--disable-dev-shm-usage'];

const WIDE = { viewport: { width: 1280, height: 800 } };
export const PHONE = { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true };

export async function launch() {
	const { chromium } = await import('playwright-core');
	return chromium.launch({ executablePath: CHROMIUM, args: ARGS });
}

/**
 * Called in a describe: a browser for its tests, and a person's own storage for each visit. What was opened in a test is closed
 * after it, and a fault that a page saw fails it.
 */
export function visits() {
	let browser;
	const faults = [], opened = [];
	before(async () => {
		browser = await launch();
	});
	after(() => browser.close());
	afterEach(async () => {
		for (const close of opened.splice(0).reverse())
			await close();
		assert.deepEqual(faults.splice(0), []);
	});
	const tab = async (context) => {
		const page = await context.newPage();
		page.on('pageerror', (error) => faults.push(String(error)));
		page.on('console', (message) => /Content Security Policy/.test(message.text()) && faults.push(message.text()));
		return page;
	};
	return {
		/** A person comes, on a wide screen where nothing else is said. @returns the person's first tab */
		async visit(options = {}) {
			const context = await browser.newContext({ ...WIDE, ...options });
			opened.push(() => context.close());
			return tab(context);
		},
		/** One more tab of the same person. @param {import('playwright-core').BrowserContext} context */
		tab,
		/** A server in memory. @param {object} what as Mock wants it @param {(mock: Mock) => void} prepare before it starts */
		async serve(what = {}, prepare = () => undefined) {
			const mock = new Mock(what);
			prepare(mock);
			await mock.start();
			opened.push(() => mock.stop());
			return mock;
		},
		get browser() {
			return browser;
		},
	};
}

/** Waits for what no page can tell. @param {() => boolean|Promise<boolean>} is @param {string} what in words */
export async function until(is, what) {
	const end_ms = Date.now() + 20_000;
	while (!await is()) {
		assert.ok(Date.now() < end_ms, what);
		await new Promise((resolve) => {
			setTimeout(resolve, 50);
		});
	}
}

/**
 * Follows what a person's tabs fetch from now on. The function returned waits until the server has given n subjects in all and
 * every picture of those that were not answered is in the browser whole, so that the line may break.
 */
export function pictures(context) {
	const given = new Map(), answered = new Set(), whole = new Set();
	const pathOf = (one) => new URL(one.url()).pathname;
	context.on('response', async (response) => {
		if (response.ok() && pathOf(response).endsWith('/next'))
			for (const { subject, frames } of (await response.json().catch(() => ({ tasks: [] }))).tasks)
				given.set(subject, frames.map(({ url }) => url));
	});
	context.on('request', (request) => {
		if (pathOf(request).endsWith('/classifications'))
			answered.add(request.postDataJSON().subject);
	});
	context.on('requestfinished', (request) => whole.add(pathOf(request)));
	const isHere = () => [...given].every(([subject, files]) => answered.has(subject) || files.every((file) => whole.has(file)));
	return (n) => until(() => given.size >= n && isHere(), `the pictures of ${n} subjects are here`);
}

export async function press(page, ...keys) {
	for (const key of keys)
		await page.keyboard.press(key);
}

/**
 * The subject on screen, once it can be answered: another than `before`, or exactly `wanted`.
 * @returns {Promise<string>}
 */
export async function onScreen(page, before, wanted) {
	const handle = await page.waitForFunction(([not, only]) => {
		const work = document.querySelector('.work:not([hidden])');
		const subject = work?.querySelector('.choice:enabled') && work.dataset.subject;
		return subject && subject !== not && (!only || subject === only) ? subject : null;
	}, [before, wanted], { timeout: 20_000 });
	return handle.jsonValue();
}

/** The names that the filter leaves. */
export function choices(page) {
	return page.$$eval('.taxa .choice:not([hidden]) .name', (nodes) => nodes.map((node) => node.textContent));
}

/** Waits until the server has n answers that stand. */
export async function sent(page, server, n) {
	const end_ms = Date.now() + 20_000;
	while ((await server.standing()).length !== n) {
		if (Date.now() > end_ms)
			throw new Error(`the server has ${(await server.standing()).length} answers, ${n} were expected`);
		await page.waitForTimeout(50);
	}
}

/** n answers stand, each of another subject of its volunteer, and none twice. */
export async function assertOnce(server, n) {
	const standing = await server.standing();
	assert.equal(standing.length, n);
	assert.equal(new Set(standing.map((row) => `${row.volunteer}/${row.subject}`)).size, n);
	assert.equal(new Set(standing.map((row) => row.uuid)).size, n);
}

/** What is there to touch and smaller than a finger; a box to tick has its words around it. */
export function smallTargets(page) {
	return page.$$eval('button, a, input', (nodes) => nodes.map((node) => [node.textContent, node.getBoundingClientRect()])
		.filter(([, box]) => box.width > 0 && (box.width < 44 || box.height < 44) && box.width !== 20).map(([text]) => text));
}

async function enter(page, button, name, password) {
	await page.click(`#account >> text=${button}`);
	await page.fill('dialog [name=name]', name);
	await page.fill('dialog [name=password]', password);
	await page.click('dialog >> button[type=submit]');
	await page.waitForSelector(`#account >> text=${name}`);
}

export const logIn = (page, name, password) => enter(page, 'Log in', name, password);
export const signUp = (page, name, password) => enter(page, 'Sign up', name, password);
