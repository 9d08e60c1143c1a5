// An evening's work: everything by touch on a phone, and the card that suggests to stop.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { Mock } from './mock.mjs';
import { launch, onScreen, sent } from './support.mjs';

describe('an evening of labelling', { timeout: 240_000 }, () => {
	let browser, mock, context, page, faults;

	before(async () => {
		browser = await launch();
	});
	after(() => browser.close());
	afterEach(async () => {
		await context.close();
		await mock.stop();
		assert.deepEqual(faults, []);
	});

	async function open(what = {}, options = {}) {
		faults = [];
		mock = new Mock(what);
		await mock.start();
		context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
		page = await context.newPage();
		page.on('pageerror', (error) => faults.push(String(error)));
		page.on('console', (message) => /Content Security Policy/.test(message.text()) && faults.push(message.text()));
	}
	const given = (subject) => mock.standing().find((answer) => String(answer.subject) === subject)?.body;

	it('goes by touch alone at 360 px: a card, a survey, a closer look, an undo, a change', async () => {
		await open({ survey: { count: true, young: true } }, { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true });
		mock.guesses = new Map([[101, 20], [102, 13]]); // a human, about whom nothing is asked; a topi
		await page.goto(mock.url);
		await page.tap('.card .primary');
		const shown = [await onScreen(page)];
		const next = async () => shown.push(await onScreen(page, shown.at(-1)));
		await page.tap('.controls .play');
		await page.waitForFunction(() => document.querySelector('.counter').textContent.startsWith('2'));
		const card = await page.$$eval('.guess, .confirm .choice', (nodes) => nodes.map((node) => node.getBoundingClientRect().toJSON()));
		assert.ok(card[1].top - card[0].bottom < 24, 'the buttons are right under the card');
		assert.ok(card[1].width > card[2].width && card[1].height >= 56, 'yes is the large one');
		await page.tap('.confirm .yes');
		await next();
		await page.tap('.confirm >> text=Something else');
		await page.tap('.choice:has-text("Plains zebra")');
		const done = await page.locator('.draft .primary').boundingBox();
		assert.ok(done.width > 150 && done.y + done.height <= 740, 'done is large and in reach');
		await page.tap('.option:text-is("2")');
		await page.tap('.draft .primary');
		await next();
		await page.tap('.more-tools');
		await page.tap('.tool[data-tool=in]');
		await page.tap('.tool[data-tool=light]');
		await page.tap('.adjust .switch input');
		await page.tap('.tool[data-tool=reset]');
		await page.tap('.choice:has-text("Nothing here")');
		await next();
		await sent(page, mock, 3);
		await page.tap('.undo');
		await onScreen(page, undefined, shown[2]);
		await page.tap('.choice:has-text("Can’t tell")');
		await onScreen(page, undefined, shown[3]);
		await sent(page, mock, 3);
		await page.tap('.recent');
		await page.tap('dialog.recent li:has-text("Plains zebra") >> text=Change');
		await onScreen(page, undefined, shown[1]);
		await page.tap('.option:text-is("5")');
		await page.tap('.draft .primary');
		await onScreen(page, undefined, shown[3]);
		await sent(page, mock, 3);
		assert.deepEqual([given(shown[0]).taxa[0].taxon, given(shown[1]).taxa[0], given(shown[2]).answer],
			[20, { taxon: 12, count: 5, young: false }, 'cant_tell']);
		assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 360);
	});

	it('keeps the picture in sight while the names scroll below it on a phone', async () => {
		await open({}, { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true });
		await page.goto(`${mock.url}#/p/mara`);
		await onScreen(page);
		await page.evaluate(() => scrollTo(0, document.documentElement.scrollHeight));
		await page.waitForFunction(() => scrollY > 40);
		const [stage, last] = await page.$$eval('.stage, .taxa .choice:last-child', (nodes) => nodes.map((node) => node.getBoundingClientRect().toJSON()));
		assert.ok(stage.top >= -1 && stage.bottom < last.top, JSON.stringify([stage, last]));
	});

	/** Begins a stretch of work: so many answers, so many minutes ago, the last so many minutes ago. */
	const worked = (n, since_min, last_min) => page.evaluate(([answers, since, last]) => sessionStorage.setItem('topi.pause',
		JSON.stringify({ since_ms: Date.now() - since * 60_000, last_ms: Date.now() - last * 60_000, n: answers })), [n, since_min, last_min]);

	it('suggests a pause after 200 answers or 45 minutes, and stands in nobody’s way', async () => {
		await open();
		await page.goto(`${mock.url}#/p/mara`);
		let shown = await onScreen(page);
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

	it('gives back what it holds when somebody has enough for today', async () => {
		await open();
		await page.goto(`${mock.url}#/p/mara`);
		const first = await onScreen(page);
		await worked(199, 20, 1);
		await page.keyboard.press('z');
		await onScreen(page, first);
		await sent(page, mock, 1);
		await page.waitForFunction(() => document.querySelector('.work').dataset.subject);
		assert.ok(mock.leases.size > 1);
		await page.click('.pause >> text=Enough for today');
		await page.waitForSelector('text=Thank you for today!');
		const end_ms = Date.now() + 5_000;
		while (mock.leases.size > 0 && Date.now() < end_ms)
			await page.waitForTimeout(50);
		assert.equal(mock.leases.size, 0);
		await page.click('.empty >> text=Go on');
		await onScreen(page);
		await page.keyboard.press('t');
		await sent(page, mock, 2);
	});

	it('goes on with subjects to come when an answer is taken back after enough for today', async () => {
		await open();
		await page.goto(`${mock.url}#/p/mara`);
		const first = await onScreen(page);
		await worked(199, 20, 1);
		await page.keyboard.press('z');
		await onScreen(page, first);
		await sent(page, mock, 1);
		await page.click('.pause >> text=Enough for today');
		await page.waitForSelector('text=Thank you for today!');
		const held = async (isEnough) => {
			for (let i = 0; i < 100 && !isEnough(mock.leases.size); i++)
				await page.waitForTimeout(50);
			assert.ok(isEnough(mock.leases.size), `${mock.leases.size} are held`);
		};
		await held((n) => n === 0);
		await page.keyboard.press('Backspace');
		await onScreen(page, undefined, first);
		await held((n) => n > 1);
	});
});
