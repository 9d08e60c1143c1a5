// What a volunteer does, in a real browser, against the real server and its database. One project for all: what is asked for
// in a test are the answers that were given in it.
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { Real, missing } from './real.mjs';
import { assertOnce, logIn, onScreen, press, sent, signUp, visits } from './support.mjs';

const skip = await missing();

describe('the labelling page on topi serve', { timeout: 240_000, skip: skip ?? false }, () => {
	const people = visits();
	const { visit } = people;
	let real, given, page;

	before(async () => {
		real = await Real.make(people.browser, 9);
	});
	after(() => real?.remove());
	beforeEach(async () => {
		given = await real.fromNow();
		page = await visit();
		await page.goto(`${real.url}#/p/mara`);
	});

	it('gives experts what others cannot tell', async () => {
		await real.addUser('vera', 'a long password', 'expert');
		const hard = await onScreen(page);
		assert.ok(await page.isHidden('.switch'));
		await page.keyboard.press('0');
		await onScreen(page, hard);
		await sent(page, given, 1);
		const expert = await visit();
		await expert.goto(`${real.url}#/p/mara`);
		await onScreen(expert);
		await logIn(expert, 'vera', 'a long password');
		await expert.check('.switch input');
		await onScreen(expert, undefined, hard);
		await expert.keyboard.press('l');
		await expert.waitForSelector('text=No expert is needed');
		await sent(expert, given, 2);
		const verdict = (await given.standing()).find((row) => row.expert === '1');
		assert.deepEqual([verdict.subject, verdict.label, verdict.subject_label], [hard, 'lion', 'lion']);
		await expert.uncheck('.switch input');
		assert.notEqual(await onScreen(expert), hard);
	});

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
		await sent(page, given, 8);
		const rows = await given.standing();
		assert.deepEqual(rows.map((row) => row.answer === 'taxa' ? row.label : row.answer),
			['zebra', 'topi', 'blank', 'cant_tell', 'lion', 'zebra', 'topi', 'blank']);
		assert.ok(rows.every((row) => Number(row.duration_ms) > 0 && Number(row.duration_ms) < 60_000));
		await assertOnce(given, 8);
	});

	it('keeps every species of a subject that has two', async () => {
		const first = await onScreen(page);
		await press(page, '+', 'z', 't', 'Enter');
		await onScreen(page, first);
		await sent(page, given, 2); // the export has a row a species
		const rows = await given.standing();
		assert.deepEqual(rows.map((row) => [row.subject, row.label, row.several]), [[first, 'zebra', '1'], [first, 'topi', '1']]);
		assert.equal(rows[0].uuid, rows[1].uuid);
	});

	it('takes the last answer back and lets it be given anew', async () => {
		const first = await onScreen(page);
		await page.keyboard.press('z');
		await onScreen(page, first);
		await sent(page, given, 1);
		await page.keyboard.press('Backspace');
		await onScreen(page, undefined, first);
		await page.keyboard.press('l');
		await onScreen(page, first);
		await sent(page, given, 1);
		assert.deepEqual((await given.standing()).map((row) => [row.subject, row.label]), [[first, 'lion']]);
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
		await page.click('#account >> text=Log in');
		await page.fill('dialog [name=name]', 'amina');
		await page.fill('dialog [name=password]', 'a wrong password');
		await page.click('dialog >> button[type=submit]');
		await page.waitForSelector('dialog >> text=Name or password is wrong');
		await page.fill('dialog [name=password]', 'a long password');
		await page.click('dialog >> button[type=submit]');
		await page.waitForSelector('#account >> text=amina');
		await page.goto(real.url);
		await page.waitForSelector('.mine:has-text("You have given")');
		const standing = await given.standing();
		const n = new Set(standing.map((row) => row.subject)).size; // where both were of one subject the earlier counts
		await page.waitForSelector(`text=You have given ${n} answer`);
		assert.equal(new Set(standing.map((row) => row.volunteer)).size, 1);
	});

	it('shows one’s own page, hands out what is kept, and lets one leave', async () => {
		const first = await onScreen(page);
		await page.keyboard.press('z');
		await onScreen(page, first);
		await sent(page, given, 1);
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
		await assertOnce(given, 1); // the answer stays, nobody's
	});
});
