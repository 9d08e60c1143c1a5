// An evening's work: the picture stays in sight, and a card suggests to stop.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { PHONE, onScreen, sent, until, visits } from './support.mjs';

describe('an evening of labelling', { timeout: 240_000 }, () => {
	const { visit, serve } = visits();
	let mock, page;

	async function open(options) {
		mock = await serve();
		page = await visit(options);
		await page.goto(`${mock.url}#/p/mara`);
		return onScreen(page);
	}

	it('keeps the picture in sight while the names scroll below it on a phone', async () => {
		await open(PHONE);
		await page.evaluate(() => scrollTo(0, document.documentElement.scrollHeight));
		await page.waitForFunction(() => scrollY > 40);
		const [stage, last] = await page.$$eval('.stage, .taxa .choice:last-child', (nodes) => nodes.map((node) => node.getBoundingClientRect().toJSON()));
		assert.ok(stage.top >= -1 && stage.bottom < last.top, JSON.stringify([stage, last]));
	});

	/** Begins a stretch of work: so many answers, so many minutes ago, the last so many minutes ago. */
	const worked = (n, since_min, last_min) => page.evaluate(([answers, since, last]) => sessionStorage.setItem('topi.pause',
		JSON.stringify({ since_ms: Date.now() - since * 60_000, last_ms: Date.now() - last * 60_000, n: answers })), [n, since_min, last_min]);

	it('suggests a pause after 200 answers or 45 minutes, and stands in nobody’s way', async () => {
		let shown = await open();
		const answer = async (key) => {
			await page.keyboard.press(key);
			shown = await onScreen(page, shown);
		};
		await worked(198, 20, 1);
		await answer('z');
		assert.equal(await page.locator('.pause').count(), 0);
		await answer('z');
		await page.waitForSelector('.pause >> text=200 answers in 20 minutes.');
		await answer('t'); // a key is an answer as ever
		assert.equal(await page.locator('.pause').count(), 1);
		await page.keyboard.press('Enter');
		assert.equal(await page.locator('.pause').count(), 0);
		await worked(30, 46, 1);
		await answer('z');
		await page.waitForSelector('.pause >> text=31 answers in 46 minutes.');
		await page.keyboard.press('Enter');
		await worked(199, 44, 11); // that was a pause already
		await answer('z');
		assert.equal(await page.locator('.pause').count(), 0);
		await sent(page, mock, 5);
	});

	/** Somebody answers once and has enough; nothing is held then. Resolves to the subject that was answered. */
	async function untilEnough() {
		const first = await open();
		await worked(199, 20, 1);
		await page.keyboard.press('z');
		await onScreen(page, first);
		await sent(page, mock, 1);
		assert.ok(mock.leases.size > 1);
		await page.click('.pause >> text=Enough for today');
		await page.waitForSelector('text=Thank you for today!');
		await until(() => mock.leases.size === 0, 'what was held is given back');
		return first;
	}

	it('gives back what it holds when somebody has enough for today', async () => {
		await untilEnough();
		await page.click('.empty >> text=Go on');
		await onScreen(page);
		await page.keyboard.press('t');
		await sent(page, mock, 2);
	});

	it('goes on with subjects to come when an answer is taken back after enough for today', async () => {
		const first = await untilEnough();
		await page.keyboard.press('Backspace');
		await onScreen(page, undefined, first);
		await until(() => mock.leases.size > 1, 'subjects to come are held again');
	});
});
