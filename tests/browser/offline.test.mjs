// No answer is lost and none is given twice: off line, over a closed tab, from two tabs at once, and when it is changed.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { PHONE, assertOnce, onScreen, pictures, press, sent, until, visits } from './support.mjs';

describe('answers that have to wait, are told about, or are changed', { timeout: 240_000 }, () => {
	const { visit, tab, serve } = visits();
	let mock, context, page;

	const label = (one = page) => one.goto(`${mock.url}#/p/mara`);
	async function open(what = {}, options = {}) {
		mock = await serve(what);
		page = await visit(options);
		context = page.context();
	}
	/** Answers n subjects; resolves to the one on screen then. */
	async function answer(n, one = page, key = 'z') {
		let shown = await onScreen(one);
		for (let i = 0; i < n; i++) {
			await one.keyboard.press(key);
			shown = i < n - 1 ? await onScreen(one, shown) : shown;
		}
		return shown;
	}

	it('takes ten answers off line after their leases ended, and sends them once when the tab is opened again', async () => {
		await open({ n_subjects: 100 });
		mock.lease_ms = 4_000;
		const whole = pictures(context);
		await label();
		await answer(1);
		await sent(page, mock, 1);
		await whole(11); // the one that was answered and ten more
		await context.setOffline(true);
		await until(() => [...mock.leases.values()].every((end_ms) => end_ms < Date.now()), 'the leases have ended');
		let shown = await onScreen(page);
		for (let i = 0; i < 10; i++) {
			await page.keyboard.press('ArrowRight');
			await page.waitForFunction(() => document.querySelector('.stage .wait').hidden && document.querySelector('.stage .failed').hidden);
			await page.keyboard.press('t');
			if (i < 9)
				shown = await onScreen(page, shown);
		}
		await page.waitForSelector('#sending:has-text("10")');
		await page.waitForSelector('.empty h2');
		assert.equal(mock.answers.length, 1);
		await page.close();
		await context.setOffline(false);
		page = await tab(context);
		await label();
		await sent(page, mock, 11);
		await assertOnce(mock, 11);
		await onScreen(page);
		assert.equal(await page.locator('.problem').count(), 0);
	});

	it('shows subjects whose lease ended when the server is slow to say who has them', async () => {
		await open();
		mock.lease_ms = 500;
		await label();
		const first = await onScreen(page);
		await page.waitForTimeout(700);
		mock.hooks['before next'] = () => new Promise((resolve) => {
			setTimeout(resolve, 6_000);
		});
		await page.keyboard.press('z');
		const second = await onScreen(page, first);
		await page.keyboard.press('t');
		await sent(page, mock, 2);
		assert.deepEqual(mock.standing().map((a) => String(a.subject)), [first, second]);
	});

	for (const [width, height, device] of [[1280, 800, {}], [360, 740, PHONE]])
		it(`tells what an expert said without moving anything at ${width} px`, async () => {
			await open({}, device);
			mock.truths = new Map([[101, 13], [102, 12]]);
			mock.others = { n: 5, shares: [[13, 0.8], [12, 0.2]] };
			const held = [];
			mock.hooks['after classifications'] = () => new Promise((resolve) => {
				held.push(resolve);
			});
			const letGo = async () => {
				await until(() => held.length > 0, 'the answer is at the server');
				held.pop()();
			};
			await page.clock.install();
			await label();
			const boxes = () => page.$$eval('.stage, .thumb, .choice, .undo, .top', (nodes) =>
				nodes.map((node) => node.getBoundingClientRect()).filter(({ width: w }) => w).map(({ x, y, width: w, height: h }) => [x, y, w, h]));
			const first = await onScreen(page);
			await page.keyboard.press('z');
			const second = await onScreen(page, first);
			const before_px = await boxes();
			await letGo();
			await page.waitForSelector('.feedback >> text=An expert says: Topi.');
			await page.waitForSelector('.feedback >> text=You said: Plains zebra.');
			await page.waitForSelector('.feedback >> text=5 earlier answers: Topi 80%, Plains zebra 20%');
			await page.waitForFunction(() => document.querySelector('.feedback img').naturalWidth > 0);
			const after_px = await boxes();
			assert.equal(after_px.length, before_px.length);
			for (const [i, box] of after_px.entries())
				for (const [k, px] of box.entries())
					assert.ok(Math.abs(px - before_px[i][k]) <= 1, `${box} was ${before_px[i]}`);
			const over_px = await page.evaluate(() => {
				const card = document.querySelector('.feedback').getBoundingClientRect();
				return [...document.querySelectorAll('.picture, .choice')].map((node) => node.getBoundingClientRect())
					.map((box) => Math.min(card.bottom, box.bottom) - Math.max(card.top, box.top)).reduce((a, b) => Math.max(a, b));
			});
			assert.ok(over_px <= 24, `the card covers ${over_px} px of what is worked with`);
			await page.clock.fastForward(20_000);
			assert.ok(await page.isVisible('.feedback'), 'what was wrong stays until it is closed');
			await page.keyboard.press('Escape');
			assert.equal(await page.locator('.feedback').count(), 0);
			await page.keyboard.press('z');
			await onScreen(page, second);
			await letGo();
			await page.waitForSelector('.feedback.right >> text=An expert says so too');
			await page.mouse.move(5, height - 5);
			await page.clock.fastForward(7_000);
			await page.waitForSelector('.feedback', { state: 'detached' });
		});

	it('changes the seventh last answer, from another tab too, with the survey filled in', async () => {
		await open({ n_subjects: 14, survey: { count: true, young: true, behaviours: ['standing', 'resting'] } });
		await label();
		let shown = await onScreen(page);
		const subjects = [];
		for (const keys of [['z', '3', 'y', 'r', 'Enter'], ...Array.from({ length: 6 }, () => ['h'])]) {
			subjects.push(shown);
			await press(page, ...keys);
			shown = await onScreen(page, shown);
		}
		await sent(page, mock, 7);
		mock.retired = new Set([Number(subjects[6])]);
		page = await tab(context); // one that has given none of them
		await label();
		shown = await onScreen(page);
		await press(page, 'Shift+Backspace');
		await page.waitForSelector('dialog.recent li:nth-child(7) img');
		assert.equal(await page.textContent('dialog.recent li:first-child > small'), 'decided');
		assert.equal(await page.locator('dialog.recent li >> text=Change').count(), 6);
		await page.click('dialog.recent li:nth-child(7) >> text=Change');
		await onScreen(page, undefined, subjects[0]);
		assert.match(await page.textContent('.ask'), /You said “Plains zebra”/);
		assert.deepEqual(await page.$$eval('.option[aria-pressed=true]', (nodes) => nodes.map((node) => node.dataset.option)),
			['3', 'young', 'resting']);
		await press(page, '5', 'Enter');
		await onScreen(page, undefined, shown);
		await sent(page, mock, 7);
		await assertOnce(mock, 7);
		const changed = mock.standing().find((given) => String(given.subject) === subjects[0]);
		assert.deepEqual(changed.body.taxa, [{ taxon: 12, count: 5, young: true, behaviours: ['resting'] }]);
	});

	it('lists and changes what waits here, without a server', async () => {
		await open();
		await page.addInitScript(() => {
			navigator.storage.persist = async () => (globalThis.asked = true);
		});
		await label();
		mock.hooks['before classifications'] = () => 'cut';
		const first = await onScreen(page);
		await page.keyboard.press('z');
		await onScreen(page, first);
		await page.waitForFunction(() => globalThis.asked); // that the browser does not clear what waits here
		await context.setOffline(true);
		await page.click('.recent');
		await page.click('dialog.recent li:has-text("Plains zebra") >> text=Change');
		await onScreen(page, undefined, first);
		await page.keyboard.press('w');
		mock.hooks = {};
		await context.setOffline(false);
		const gnus = () => mock.standing().filter((given) => given.body.taxa[0].taxon === 14);
		await sent(page, { standing: gnus }, 1);
		assert.equal(String(gnus()[0].subject), first);
		await assertOnce(mock, 1);
	});
});
