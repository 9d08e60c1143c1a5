// Takes pictures of the page in every state, to look at by eye: node tests/browser/look.mjs OUT [folder of JPEGs [folder of the kinds' pictures]]
import { mkdirSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { launch } from './support.mjs';
import { Mock } from './mock.mjs';
import { serengeti } from './serengeti.mjs';

const [out = 'look', photos, kinds] = process.argv.slice(2);
mkdirSync(out, { recursive: true });
const files = photos ? readdirSync(photos, { recursive: true }).filter((f) => /\.jpe?g$/i.test(f)).map((f) => join(photos, f)) : [];
const browser = await launch();
for (const colorScheme of ['light', 'dark'])
	for (const [name, width, height] of [['wide', 1280, 800], ['phone', 390, 844]]) {
		const mock = new Mock({ n_subjects: 8, n_frames: 5, n_expert: 1 });
		if (files.length)
			mock.picture = (id) => readFileSync(files[Math.floor((id - 1000) / 10) * 5 + id % 10]);
		await mock.start();
		const context = await browser.newContext({ colorScheme, viewport: { width, height }, hasTouch: name === 'phone' });
		const page = await context.newPage();
		const shot = (what) => page.screenshot({ path: join(out, `${what}-${name}-${colorScheme}.png`) });
		await page.goto(mock.url);
		await page.waitForSelector('.card');
		await shot('landing');
		await page.click('.card .primary');
		await page.waitForSelector('.choice:enabled');
		await page.keyboard.press('ArrowRight');
		await page.waitForTimeout(300);
		await shot('label-one');
		for (const key of ['z', 't', ' ', '0']) {
			await page.waitForSelector('.choice:enabled');
			await page.keyboard.press(key);
			await page.waitForTimeout(150);
		}
		await page.waitForTimeout(500);
		await shot('label-burst');
		await page.keyboard.press(':');
		await page.keyboard.press('ArrowRight');
		await page.keyboard.press('Escape');
		if (name === 'phone')
			await page.click('.more-tools');
		await page.keyboard.press(';');
		await page.waitForTimeout(500);
		await shot('seeing');
		await page.keyboard.press('*');
		await page.keyboard.press('Shift+Backspace');
		await page.waitForTimeout(500);
		await shot('recent');
		await page.keyboard.press('Escape');
		mock.guesses = new Map(mock.subjects.map(({ id }) => [id, 12 + id % 5]));
		await page.reload();
		await page.waitForSelector('.confirm .yes:enabled');
		await page.waitForTimeout(300);
		await shot('confirm');
		await page.keyboard.press('n');
		await page.waitForTimeout(100);
		await shot('confirm-survey');
		mock.guesses.clear();
		await page.reload();
		await page.waitForSelector('.choice:enabled');
		await page.keyboard.press('?');
		await shot('help');
		await page.keyboard.press('Escape');
		await page.click('#account button');
		await shot('login');
		await page.keyboard.press('Escape');
		await mock.stop();
		await page.waitForSelector('.choice:enabled');
		await page.keyboard.press('z');
		await page.waitForTimeout(800);
		await shot('label-offline');
		for (let i = 0; i < 5; i++) {
			await page.keyboard.press('w');
			await page.waitForTimeout(150);
		}
		await page.waitForTimeout(600);
		await shot('error');
		await page.click('#sending');
		await shot('sending');
		await page.keyboard.press('Escape');
		await mock.start();
		await page.waitForSelector('text=You have seen everything', { timeout: 60_000 });
		await shot('empty');
		await context.close();
		await mock.stop();
		await survey(colorScheme, name, width, height);
		await grid(colorScheme, name, width, height);
	}
await browser.close();

/** The questions after a species, and an answer of two. */
async function survey(colorScheme, name, width, height) {
	const mock = new Mock({
		n_subjects: 3, n_frames: 3,
		survey: { count: true, young: true, sex: true, life_stage: true, behaviours: ['standing', 'resting', 'moving', 'eating', 'interacting'] },
	});
	await mock.start();
	const context = await browser.newContext({ colorScheme, viewport: { width, height }, hasTouch: name === 'phone' });
	const page = await context.newPage();
	const shot = (what) => page.screenshot({ path: join(out, `${what}-${name}-${colorScheme}.png`), fullPage: name === 'phone' });
	await page.goto(`${mock.url}#/p/mara`);
	await page.waitForSelector('.choice:enabled');
	await page.keyboard.press('z');
	for (const key of ['3', 'y', 'e', 'f'])
		await page.keyboard.press(key);
	await page.waitForTimeout(300);
	await shot('survey');
	await page.keyboard.press('+');
	await page.keyboard.press('w');
	await page.keyboard.press('+');
	await page.waitForTimeout(200);
	await shot('survey-several');
	await context.close();
	await mock.stop();
}

/** Fifty-four kinds: found by look, looked up, practised. */
async function grid(colorScheme, name, width, height) {
	const mock = new Mock({ n_frames: 3, project: serengeti(kinds) });
	const [zebra, topi, impala] = ['zebra', 'topi', 'impala'].map((code) => mock.told.taxa.find((taxon) => taxon.code === code).id);
	mock.likely = [zebra, topi, impala];
	mock.practice = [{ subject: 102, taxa: [topi], why: 'Its thighs are **dark**, its shanks yellow.' }];
	await mock.start();
	const context = await browser.newContext({ colorScheme, viewport: { width: name === 'phone' ? 360 : width, height }, hasTouch: name === 'phone' });
	const page = await context.newPage();
	const shot = (what) => page.screenshot({ path: join(out, `${what}-${name}-${colorScheme}.png`) });
	await page.goto(`${mock.url}#/p/mara`);
	await page.waitForSelector('.practice-offer:not([hidden])');
	await shot('practice-offer');
	await page.click('.practice-offer .primary');
	await page.click('dialog.practice .choice:enabled:has-text("Impala")');
	await page.waitForSelector('.explained:not([hidden])');
	await shot('practice');
	await page.keyboard.press('Escape');
	await page.waitForTimeout(300);
	await shot('grid');
	await page.click('.by-look');
	await page.click('.value:has-text("Stripes")');
	await shot('looks');
	await page.keyboard.press('Escape');
	await page.click('.look-up');
	await page.click('.quick >> text=Topi');
	await page.waitForSelector('dialog.reading');
	await page.waitForTimeout(300);
	await shot('taxon');
	await context.close();
	await mock.stop();
}
