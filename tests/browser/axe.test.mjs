// axe-core on every screen and dialog, light and dark, on a phone and wide; and what axe cannot see: the focus that stays in
// view, words that stay whole, and what a screen reader is told.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { serengeti } from './serengeti.mjs';
import { logIn, onScreen, visits } from './support.mjs';

const AXE = await readFile(new URL('../../node_modules/axe-core/axe.min.js', import.meta.url), 'utf8').catch(() => null);
const day = (ago) => new Date(Date.now() - ago * 86_400_000).toISOString().slice(0, 10);
const PAGE = {
	n_answers: 52, days: [{ date: day(0), n: 40 }, { date: day(3), n: 12 }], favourites: [{ slug: 'mara', subject: 101, thumb: '/media/1000/320.jpg' }],
	projects: [{
		slug: 'mara', title: 'Mara Triangle', n_answers: 52, skill: { p: 0.93, low: 0.88, high: 0.97 }, species: [{ taxon: 12, name: 'Plains zebra', n: 30 }],
		best: [{ taxon: 12, name: 'Plains zebra', p: 0.98, low: 0.93, high: 1, n: 40 }],
		mixed: [{ truth: 13, truth_name: 'Topi', said: 14, said_name: 'Blue wildebeest', n: 3 }],
	}],
};
/** What is asked in the light and in the dark. */
const SCHEMES = [['light', ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa', 'best-practice']],
	['dark', { type: 'rule', values: ['color-contrast', 'link-in-text-block'] }]];
const WINDOWS = [['wide', 1280, 800], ['phone', 360, 740]];
const SURVEY = { count: true, young: true, sex: true, life_stage: true, behaviours: ['eating', 'moving'] };

describe('access', { timeout: 300_000, skip: AXE ? false : 'axe-core is not installed (npm ci)' }, () => {
	const { visit, serve } = visits();
	let mock, page;

	/** Opens the page on a mock of its own: with a survey, where nothing else is said. */
	async function open(options, what = { survey: SURVEY }, prepare = () => undefined) {
		mock = await serve(what, (server) => {
			server.page = PAGE;
			prepare(server);
		});
		page = await visit(options);
	}

	/** No violation of what WCAG 2.2 AA asks, however slight; of the dark, what colours decide, for nothing else differs there. */
	async function check(where) {
		if (!await page.evaluate(() => 'axe' in globalThis))
			await page.evaluate(AXE);
		for (const [colorScheme, runOnly] of SCHEMES) {
			await page.emulateMedia({ colorScheme });
			const found = await page.evaluate((only) => globalThis.axe.run(document, { runOnly: only, resultTypes: ['violations'] }), runOnly);
			const lines = found.violations.map((v) => `${where}, ${colorScheme}: ${v.id} (${v.impact}) ${v.nodes.slice(0, 3).map((n) => n.html.slice(0, 120)).join(' | ')}`);
			assert.deepEqual(lines, []);
		}
		await page.emulateMedia({ colorScheme: 'light' });
	}

	/** The dialogs that the buttons of a screen open. */
	async function checkDialogs(where, opened) {
		for (const selector of opened) {
			await page.click(selector);
			await page.waitForSelector('dialog[open]');
			await check(`${where}, ${selector}`);
			await page.keyboard.press('Escape');
			await page.waitForSelector('dialog[open]', { state: 'detached' });
			await page.evaluate(() => document.activeElement.blur()); // or Enter would press the button again
		}
	}

	for (const [name, width, height] of WINDOWS)
		it(`has nothing to complain of: on a ${name} screen`, async () => {
			await open({ viewport: { width, height }, reducedMotion: 'reduce' });
			await page.goto(mock.url);
			await page.waitForSelector('.card');
			await check('landing');
			await checkDialogs('landing', ['#help', '#account button']);
			await page.click('.card .primary');
			const first = await onScreen(page);
			await check('labelling');
			await checkDialogs('labelling', ['#help']);
			await page.keyboard.press('z');
			await page.waitForSelector('.draft:not([hidden])');
			await check('the survey');
			await page.keyboard.press('Enter');
			await onScreen(page, first);
			mock.guesses = new Map(mock.subjects.map(({ id }) => [id, 12]));
			await page.reload();
			await page.waitForSelector('.confirm .yes:enabled');
			await check('the card');
			await page.goto(`${mock.url}#/me`);
			await page.waitForSelector('.me h1');
			await check('one’s own page');
			await checkDialogs('one’s own page', ['text=Delete my data']);
			await page.goto(`${mock.url}#/invite/abc`);
			await page.waitForSelector('.invited');
			await check('a new password');
			await page.goto(`${mock.url}#/p/mara`);
			await page.waitForSelector('.confirm .yes:enabled');
			await mock.stop();
			await page.keyboard.press('n');
			await page.keyboard.press('h');
			await page.waitForSelector('#sending:not([hidden])');
			await checkDialogs('off line', ['#sending']);
			await mock.start();
			await page.goto(`${mock.url}#/p/none`);
			await page.waitForSelector('text=No such project');
			await check('no such project');
		});

	for (const [name, width, height] of WINDOWS)
		it(`has nothing to complain of where one learns and sees better on a ${name} screen`, async () => {
			const project = serengeti();
			const idOf = (code) => project.taxa.find((taxon) => taxon.code === code).id;
			await open({ viewport: { width, height }, reducedMotion: 'reduce' }, { project }, (server) => {
				server.addUser('mo', 'a long password', { mara: ['moderator'] });
				server.truths = new Map([[101, idOf('topi')]]);
				server.practice = [{ subject: 102, taxa: [idOf('topi')], why: 'Its thighs are *dark*.' }];
			});
			await page.goto(`${mock.url}#/p/mara`);
			const first = await onScreen(page);
			await check('54 kinds');
			for (const key of [',', ';', ':']) {
				await page.keyboard.press(key);
				await page.waitForTimeout(300);
				await check(`the picture after ${key}`);
				await page.keyboard.press(key);
			}
			await page.keyboard.press('Escape');
			await page.click('.by-look');
			await page.waitForTimeout(200);
			await check('looks');
			await page.keyboard.press('Escape');
			await page.click('.taxa .choice:has(.name:text-is("Impala"))');
			await onScreen(page, first);
			await page.click('.feedback .compare');
			await page.waitForSelector('.comparison');
			await check('look-alikes');
			await page.keyboard.press('Escape');
			await page.click('.feedback .close');
			await checkDialogs('the aids', ['.recent', '.flag-aid', '.learn-aid']);
			await page.click('.talk-aid');
			await page.fill('.talk textarea', 'A foal?');
			await page.click('.talk .primary');
			await page.waitForSelector('.comment');
			await check('talk');
			await page.keyboard.press('Escape');
			await page.click('.learn-aid');
			await page.click('dialog >> text=Practice');
			await page.waitForSelector('dialog.practice .choice:enabled');
			await check('the practice');
			await page.click('dialog.practice .taxa .choice >> nth=0');
			await page.waitForSelector('.explained:not([hidden])');
			await check('its explanation');
			await page.keyboard.press('Escape');
			mock.flags = [{ volunteer: 1, subject: 103, kind: 'damaged' }];
			await logIn(page, 'mo', 'a long password');
			await onScreen(page);
			await page.click('.learn-aid');
			await page.click('dialog >> text=Comments and flags');
			await page.waitForSelector('.flagged');
			await page.click('.comment >> text=Hide');
			await check('moderation');
		});

	it('keeps whatever has the focus in view on a small phone', async () => {
		await open({ viewport: { width: 320, height: 568 } });
		await page.goto(`${mock.url}#/p/mara`);
		await onScreen(page);
		await page.focus('.taxa .choice');
		for (let i = 0; i < 9; i++) {
			await page.keyboard.press('ArrowRight');
			const isSeen = await page.evaluate(() => {
				const { x, y, width, height } = document.activeElement.getBoundingClientRect();
				const there = document.elementFromPoint(x + width / 2, y + height / 2);
				return there !== null && document.activeElement.contains(there);
			});
			assert.ok(isSeen, `after ${i + 1} steps`);
		}
	});

	for (const locale of ['en', 'es', 'fr', 'sw'])
		it(`has nothing wider than a small phone, in ${locale}, and every key inside its box`, async () => {
			await open({ viewport: { width: 320, height: 568 }, locale });
			await page.goto(`${mock.url}#/p/mara`);
			await onScreen(page);
			const width = () => page.evaluate(() => document.documentElement.scrollWidth);
			assert.equal(await width(), 320);
			await page.click('#help');
			assert.deepEqual(await page.$$eval('.help kbd', (keys) => keys.filter((key) => key.scrollWidth > key.clientWidth).map((key) => key.textContent)), []);
			await page.keyboard.press('Escape');
			await page.evaluate(() => document.activeElement.blur());
			await mock.stop();
			await page.keyboard.press('z');
			await page.keyboard.press('Enter');
			await page.waitForSelector('#sending:not([hidden])');
			assert.equal(await width(), 320, 'with answers that wait');
		});

	it('keeps words whole and inside their buttons at 200 %', async () => {
		await open({ viewport: { width: 640, height: 400 }, deviceScaleFactor: 2 });
		await page.goto(`${mock.url}#/p/mara`);
		await onScreen(page);
		const broken = await page.$$eval('.choice .name, .always .choice', (nodes) => nodes.filter((node) => {
			const button = node.closest('button').getBoundingClientRect();
			const range = document.createRange();
			range.selectNodeContents(node);
			return [...range.getClientRects()].some((r) => r.right > button.right + 1 || r.bottom > button.bottom + 1);
		}).map((node) => node.textContent));
		assert.deepEqual(broken, []);
		const split = await page.$$eval('.taxa .name', (nodes) => nodes.filter((node) => {
			const longest = node.textContent.split(/\s/).sort((a, b) => b.length - a.length)[0];
			const text = node.firstChild;
			const range = document.createRange();
			range.setStart(text, text.data.indexOf(longest));
			range.setEnd(text, text.data.indexOf(longest) + longest.length);
			return new Set([...range.getClientRects()].map((r) => Math.round(r.top))).size > 1;
		}).map((node) => node.textContent));
		assert.deepEqual(split, []);
	});

	it('tells a screen reader the answer and then the next picture', async () => {
		await open({}, {});
		await page.goto(`${mock.url}#/p/mara`);
		const first = await onScreen(page);
		await page.waitForTimeout(800);
		await page.keyboard.press('z');
		await onScreen(page, first);
		assert.match(await page.textContent('#news'), /Plains zebra\..*pictures?\./);
	});

	it('leads past the head to the answers, and shows what is chosen without colours', async () => {
		await open({ forcedColors: 'active' });
		await page.goto(`${mock.url}#/p/mara`);
		await onScreen(page);
		await page.keyboard.press('Tab');
		assert.equal(await page.evaluate(() => document.activeElement.id), 'skip');
		await page.keyboard.press('Enter');
		assert.ok(await page.evaluate(() => document.activeElement.matches('.taxa .choice')));
		await page.keyboard.press('z');
		await page.keyboard.press('2');
		const style = (selector) => page.$eval(selector, (node) => getComputedStyle(node).outlineStyle);
		assert.equal(await style('.option[aria-pressed="true"]'), 'solid');
		assert.equal(await style('.option[aria-pressed="false"]'), 'none');
	});
});
