// What a volunteer does, in a real browser, against the real server and its database.
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { Real, missing } from './real.mjs';
import { launch, logIn, onScreen, sent, signUp } from './support.mjs';

const skip = await missing();

describe('the labelling page on topi serve', { timeout: 240_000, skip: skip ?? false }, () => {
	let browser, real, context, page, faults;

	before(async () => {
		browser = await launch();
	});
	after(() => browser.close());
	beforeEach(async () => {
		faults = [];
		real = await Real.make(browser, 8);
		context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
		page = await context.newPage();
		page.on('pageerror', (error) => faults.push(String(error)));
		page.on('console', (message) => /Content Security Policy/.test(message.text()) && faults.push(message.text()));
		await page.goto(`${real.url}#/p/mara`);
	});
	afterEach(async () => {
		await context.close();
		await real.remove();
		assert.deepEqual(faults, []);
	});

	/** n answers are in force, each of another subject for its volunteer. */
	const assertOnce = async (n) => {
		const rows = await real.standing();
		assert.equal(rows.length, n);
		assert.equal(new Set(rows.map((row) => `${row.volunteer}/${row.subject}`)).size, n);
	};

	it('labels everything there is by keyboard, from the landing page', async () => {
		await page.goto(real.url);
		await page.locator('.card a').focus();
		await page.keyboard.press('Enter');
		let last;
		for (const key of ['z', 't', ' ', '0', 'l', 'z', 't', ' ']) {
			last = await onScreen(page, last);
			await page.keyboard.press('ArrowRight');
			await page.keyboard.press(key);
		}
		await page.waitForSelector('text=You have seen everything for now');
		await sent(page, real, 8);
		const rows = await real.standing();
		assert.deepEqual(rows.map((row) => row.answer === 'taxa' ? row.label : row.answer),
			['zebra', 'topi', 'blank', 'cant_tell', 'lion', 'zebra', 'topi', 'blank']);
		assert.ok(rows.every((row) => Number(row.duration_ms) > 0));
		await assertOnce(8);
	});

	it('keeps every species of a subject that has two', async () => {
		const first = await onScreen(page);
		for (const key of ['+', 'z', 't', 'Enter'])
			await page.keyboard.press(key);
		await onScreen(page, first);
		await sent(page, real, 2); // the export has a row a species
		const rows = await real.standing();
		assert.deepEqual(rows.map((row) => [row.subject, row.label, row.several]), [[first, 'zebra', '1'], [first, 'topi', '1']]);
		assert.equal(rows[0].uuid, rows[1].uuid);
	});

	it('works by touch on a phone', async () => {
		const phone = await browser.newContext({ viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true });
		const small = await phone.newPage();
		await small.goto(real.url);
		await small.tap('.card a');
		const first = await onScreen(small);
		await small.tap('.choice:has-text("Topi")');
		const second = await onScreen(small, first);
		await small.tap('.choice:has-text("Nothing here")');
		await onScreen(small, second);
		await sent(small, real, 2);
		await phone.close();
	});

	it('loses no answer when the server is killed and started again', async () => {
		let last = await onScreen(page);
		await page.keyboard.press('z');
		last = await onScreen(page, last);
		await page.waitForTimeout(500); // the ones ahead are decoded
		await real.stop();
		for (const key of ['t', ' ']) {
			await page.keyboard.press(key);
			last = await onScreen(page, last);
		}
		await page.waitForSelector('#sending:has-text("2 answers wait to be sent")');
		await real.start();
		await page.reload();
		await sent(page, real, 3);
		await page.waitForSelector('#sending', { state: 'hidden' });
		await assertOnce(3);
	});

	it('takes the last answer back and lets it be given anew', async () => {
		const first = await onScreen(page);
		await page.keyboard.press('z');
		await onScreen(page, first);
		await sent(page, real, 1);
		await page.keyboard.press('Backspace');
		await onScreen(page, undefined, first);
		await page.keyboard.press('l');
		await onScreen(page, first);
		await sent(page, real, 1);
		assert.deepEqual((await real.standing()).map((row) => [row.subject, row.label]), [[first, 'lion']]);
	});

	it('keeps two tabs from answering the same subject', async () => {
		const other = await context.newPage();
		await other.goto(`${real.url}#/p/mara`);
		let mine = await onScreen(page), theirs = await onScreen(other);
		for (let i = 0; i < 2; i++) {
			await page.keyboard.press('z');
			mine = await onScreen(page, mine);
			theirs = await onScreen(other, i === 0 ? theirs : undefined);
			await other.keyboard.press('t');
			theirs = await onScreen(other, theirs);
			mine = await onScreen(page, mine);
		}
		await sent(page, real, 4);
		assert.equal(await page.locator('.problem').count(), 0);
		await assertOnce(4);
	});

	it('claims anonymous answers by signing up and by logging in', async () => {
		let last = await onScreen(page);
		await page.keyboard.press('z');
		await onScreen(page, last);
		await signUp(page, 'amina', 'a long password');
		await page.click('#account >> text=Log out');
		await page.waitForSelector('#account >> text=Log in');
		last = await onScreen(page);
		await page.keyboard.press('t');
		await onScreen(page, last);
		await logIn(page, 'amina', 'a long password');
		await page.goto(real.url);
		await page.waitForSelector('.mine:has-text("You have given")');
		const n = new Set((await real.standing()).map((row) => row.subject)).size;
		await page.waitForSelector(`text=You have given ${n} answer`);
	});

	it('shows one’s own page, hands out what is kept, and lets one leave', async () => {
		const first = await onScreen(page);
		await page.keyboard.press('z');
		await onScreen(page, first);
		await sent(page, real, 1);
		await signUp(page, 'juma', 'a good password');
		await page.click('#account a');
		await page.waitForSelector('.me >> text=You have given 1 answer.');
		await page.waitForSelector('.tally >> text=Plains zebra');
		const kept = await page.evaluate(async () => (await fetch('/api/me/export')).json());
		assert.equal(kept.answers.length, 1);
		await page.click('text=Delete my data');
		await page.fill('dialog [name=password]', 'a bad password');
		await page.click('dialog [type=submit]');
		await page.waitForSelector('.refusal >> text=The password is wrong.');
		await page.fill('dialog [name=password]', 'a good password');
		await page.click('dialog [type=submit]');
		await page.waitForSelector('#account >> text=Log in');
		await assertOnce(1); // the answer stays, nobody's
	});

	it('gives experts what others cannot tell', async () => {
		await real.addUser('vera', 'a long password', 'expert');
		const hard = await onScreen(page);
		assert.ok(await page.isHidden('.switch'));
		await page.keyboard.press('0');
		await onScreen(page, hard);
		await sent(page, real, 1);
		const other = await browser.newContext();
		const expert = await other.newPage();
		await expert.goto(`${real.url}#/p/mara`);
		await onScreen(expert);
		await logIn(expert, 'vera', 'a long password');
		await expert.check('.switch input');
		await onScreen(expert, undefined, hard);
		await expert.keyboard.press('l');
		await expert.waitForSelector('text=No expert is needed');
		await sent(expert, real, 2);
		const verdict = (await real.standing()).find((row) => row.expert === '1');
		assert.deepEqual([verdict.subject, verdict.label, verdict.subject_label], [hard, 'lion', 'lion']);
		await expert.uncheck('.switch input');
		assert.notEqual(await onScreen(expert), hard);
		await other.close();
	});
});
