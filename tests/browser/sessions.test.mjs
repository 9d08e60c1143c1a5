// Whole sessions as people have them, on the real server: by touch on a phone, off line in the middle, in two tabs, and over
// plain HTTP at the machine's own address, where a browser lets a page do less than at 127.0.0.1. What was stored is read
// from the program's own export.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { after, before, beforeEach, describe, it } from 'node:test';
import { Real, missing } from './real.mjs';
import { PHONE, assertOnce, logIn, onScreen, pictures, press, sent, signUp, smallTargets, visits } from './support.mjs';

const skip = await missing();
const address = Object.values(networkInterfaces()).flat().find(({ family, internal }) => family === 'IPv4' && !internal)?.address;

describe('sessions on topi serve', { timeout: 120_000, skip: skip ?? false }, () => {
	const people = visits();
	const { visit, tab } = people;
	let real, session, page; // the answers of this session
	const labels = async () => (await session.standing()).map((row) => [row.subject, row.answer === 'taxa' ? row.label : row.answer, row.count]);

	before(async () => {
		real = await Real.make(people.browser, 24, 0, '0.0.0.0');
		await real.setProject({ survey: { count: true, young: true } });
	});
	after(() => real?.remove());
	beforeEach(async () => {
		session = await real.fromNow();
	});

	const label = (one = page) => one.goto(`${real.url}#/p/mara`);
	const wait = (n) => page.waitForSelector(`#sending:has-text("${n}")`);

	it('goes by touch alone at 360 px: a survey, a closer look, an undo, a change', async () => {
		page = await visit(PHONE);
		await page.goto(real.url);
		await page.tap('.card .primary');
		const shown = [await onScreen(page)];
		const next = async () => shown.push(await onScreen(page, shown.at(-1)));
		assert.deepEqual(await smallTargets(page), []);
		await page.tap('.controls .play');
		await page.waitForFunction(() => document.querySelector('.counter').textContent.startsWith('2'));
		await page.tap('.choice:has-text("Plains zebra")');
		const done = await page.locator('.draft .primary').boundingBox();
		assert.ok(done.width > 150 && done.y + done.height <= 740, 'done is large and in reach');
		assert.deepEqual(await smallTargets(page), []);
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
		await page.tap('.choice:has-text("Can’t tell")');
		await next();
		await sent(page, session, 3);
		await page.tap('.undo');
		await onScreen(page, undefined, shown[2]);
		await page.tap('.choice:has-text("Topi")');
		await page.tap('.draft .primary');
		await onScreen(page, undefined, shown[3]);
		await sent(page, session, 3);
		await page.tap('.recent');
		await page.tap('dialog.recent li:has-text("Plains zebra") >> text=Change');
		await onScreen(page, undefined, shown[0]);
		await page.tap('.option:text-is("5")');
		await page.tap('.draft .primary');
		await onScreen(page, undefined, shown[3]);
		await sent(page, session, 3);
		assert.deepEqual((await labels()).sort(), [[shown[0], 'zebra', '5'], [shown[1], 'blank', ''], [shown[2], 'topi', '']].sort());
		assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 360);
		await assertOnce(session, 3);
	});

	it('goes on off line, takes an answer back there, and sends each once when the tab is opened again', async () => {
		page = await visit();
		const context = page.context();
		const whole = pictures(context);
		await label();
		const shown = [await onScreen(page)];
		const next = async () => shown.push(await onScreen(page, shown.at(-1)));
		await press(page, 'z', 'Enter');
		await next();
		await sent(page, session, 1);
		await whole(5);
		await context.setOffline(true);
		await press(page, 'ArrowRight', 't', '3', 'Enter');
		await next();
		await press(page, 'ArrowRight', ' ');
		await next();
		await press(page, 'Backspace');
		await onScreen(page, undefined, shown[2]);
		await press(page, 'l', 'y', 'Enter');
		await onScreen(page, undefined, shown[3]);
		await press(page, '0');
		await wait(3);
		await page.close();
		assert.equal((await session.standing()).length, 1);
		await context.setOffline(false);
		page = await tab(context);
		await label();
		await sent(page, session, 4);
		assert.ok(!shown.includes(await onScreen(page)), 'what was answered does not come back');
		await press(page, ' ');
		await sent(page, session, 5);
		assert.deepEqual((await labels()).slice(0, 4),
			[[shown[0], 'zebra', ''], [shown[1], 'topi', '3'], [shown[2], 'lion', ''], [shown[3], 'cant_tell', '']]);
		assert.equal(await page.locator('.problem').count(), 0);
		await assertOnce(session, 5);
	});

	it('keeps two tabs of one person from answering the same subject, on line and off line', async () => {
		page = await visit();
		const context = page.context();
		const whole = pictures(context);
		await label();
		const other = await tab(context);
		await label(other);
		const answer = async (one, ...keys) => {
			const subject = await onScreen(one);
			await press(one, ...keys);
			await Promise.all([page, other].map((each) => onScreen(each, subject)));
		};
		await answer(page, ' ');
		await answer(other, 't', 'Enter');
		await answer(page, 'z', '2', 'Enter');
		await sent(page, session, 3);
		await whole(7);
		await context.setOffline(true);
		await answer(other, ' ');
		await answer(page, 'l', 'Enter');
		await answer(other, 'z', 'Enter');
		await wait(3);
		await context.setOffline(false);
		await Promise.all([page, other].map((one) => one.evaluate(() => dispatchEvent(new Event('online')))));
		await sent(page, session, 6);
		await page.waitForSelector('#sending', { state: 'hidden' });
		await other.waitForSelector('#sending', { state: 'hidden' });
		assert.deepEqual((await labels()).map(([, said]) => said).sort(), ['blank', 'blank', 'lion', 'topi', 'zebra', 'zebra']);
		assert.equal(await page.locator('.problem').count() + await other.locator('.problem').count(), 0);
		await assertOnce(session, 6);
	});

	it('does everything over plain HTTP at the machine’s own address', { skip: address ? false : 'there is no address but 127.0.0.1' }, async () => {
		page = await visit();
		const context = page.context();
		const whole = pictures(context);
		const url = `http://${address}:${real.port}/`;
		await page.goto(url);
		assert.ok(await page.evaluate(() => !isSecureContext && !crypto.subtle && !navigator.serviceWorker && !navigator.clipboard));
		await page.click('.card .primary');
		const shown = [await onScreen(page)];
		const next = async () => shown.push(await onScreen(page, shown.at(-1)));
		await press(page, 'PageUp', ',', ',', '*', '%', '%', 'Escape');
		await press(page, 'z', '2', 'Enter');
		await next();
		await sent(page, session, 1);
		await signUp(page, 'neema', 'a good password');
		await onScreen(page);
		await page.click('.talk-aid');
		await page.fill('.talk textarea', 'Two of them?');
		await page.click('.talk >> text=Send');
		await page.waitForSelector('.comment .said >> text=Two of them?');
		await press(page, 'Escape', '!');
		await page.check('.flag:has-text("A favourite") input');
		await page.waitForFunction(() => document.querySelector('.flags [role=status]').textContent !== '');
		await press(page, 'Escape');
		await whole(5);
		await real.stop();
		await press(page, '0');
		await next();
		await press(page, 't');
		await page.click('.draft .primary');
		await wait(2);
		await real.start();
		await page.reload();
		await sent(page, session, 3);
		await page.waitForSelector('#sending', { state: 'hidden' });
		await onScreen(page);
		await press(page, 'Backspace');
		await onScreen(page, undefined, shown[2]);
		await press(page, 'l', 'Enter');
		await sent(page, session, 3);
		await page.click('#account a');
		await page.waitForSelector('.me >> text=You have given 3 answers.');
		await page.waitForFunction(() => document.querySelector('.favourites img')?.naturalWidth > 0);
		const [download] = await Promise.all([page.waitForEvent('download'), page.click('a[download]')]);
		assert.ok(JSON.parse(await readFile(await download.path(), 'utf8')).answers.length >= 3);
		await page.click('#account >> text=Log out');
		await page.waitForSelector('#account >> text=Log in');
		await logIn(page, 'neema', 'a good password');
		await page.goto(url);
		await page.waitForSelector('.mine >> text=You have given 3 answers');
		assert.deepEqual(await labels(), [[shown[0], 'zebra', '2'], [shown[1], 'cant_tell', ''], [shown[2], 'lion', '']]);
		await assertOnce(session, 3);
	});
});
