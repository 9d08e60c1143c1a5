// What a volunteer says beyond one species: several of them, and what a project asks about each, by keys and by touch.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { choices, onScreen, press, sent, smallTargets, visits } from './support.mjs';

const SURVEY = { count: true, young: true, behaviours: ['standing', 'resting', 'moving', 'eating'] };

describe('answers of several species and surveys', { timeout: 240_000 }, () => {
	const { visit, serve } = visits();
	let mock, page;

	/** Opens the page on a project with this survey; resolves to the subject on screen. */
	async function open(survey, options) {
		mock = await serve({ survey });
		page = await visit(options);
		await page.goto(`${mock.url}#/p/mara`);
		return onScreen(page);
	}
	const given = () => mock.standing().map(({ body }) => body);

	it('takes two species by keys where nothing is asked about them', async () => {
		const first = await open({});
		await press(page, '+', 'z', 'w');
		assert.deepEqual(await page.locator('.chip').allTextContents(), ['Plains zebra×', 'Blue wildebeest×']);
		assert.equal(await page.locator('.choice[aria-pressed=true]').count(), 2);
		assert.ok(await page.locator('.choice:has-text("Nothing here")').isHidden());
		await press(page, ' ', '0'); // nothing here, can't tell: they go with no species
		assert.equal(given().length, 0);
		await press(page, 'Enter');
		const second = await onScreen(page, first);
		await sent(page, mock, 1);
		assert.deepEqual(given()[0].taxa, [{ taxon: 12, count: null }, { taxon: 14, count: null }]);
		assert.equal(given()[0].several, true);
		await press(page, 't'); // one key is one answer again
		await onScreen(page, second);
		await sent(page, mock, 2);
		assert.deepEqual([given()[1].taxa, given()[1].several], [[{ taxon: 13, count: null }], undefined]);
		await press(page, 'Backspace', '?');
		await page.waitForSelector('dialog >> text=more than one species');
	});

	it('says that there are several where one can be named', async () => {
		await open({});
		await press(page, '+', 'Enter'); // nothing named: no answer yet
		assert.equal(given().length, 0);
		await press(page, 'z', 'w', 'w', 'Enter'); // the second time takes it out
		await sent(page, mock, 1);
		assert.deepEqual([given()[0].taxa, given()[0].several], [[{ taxon: 12, count: null }], true]);
	});

	it('leaves what was begun by Escape', async () => {
		await open(SURVEY);
		await press(page, 'z');
		await page.waitForSelector('.draft >> text=How many?');
		await press(page, 'Escape');
		assert.ok(await page.locator('.draft').isHidden());
		await press(page, '+', 'z', '+', 'Escape', 'Escape', 'Escape');
		assert.ok(await page.locator('.draft').isHidden());
		await press(page, ' ');
		await sent(page, mock, 1);
		assert.deepEqual(given()[0].taxa, [{ taxon: 11, count: null }]);
	});

	it('asks how many, what they do and for young, each by one key', async () => {
		const first = await open(SURVEY);
		await press(page, 'z', '3', 'y', 'r', 's', 's', 'Enter'); // standing on and off again
		const second = await onScreen(page, first);
		await press(page, 't', '4', '-', '+', 'w', '=', 'Enter'); // 11-50 topi and 51 or more wildebeest
		const third = await onScreen(page, second);
		await press(page, 'h'); // about people nothing is asked
		await onScreen(page, third);
		await sent(page, mock, 3);
		assert.deepEqual(given()[0].taxa, [{ taxon: 12, count: 3, young: true, behaviours: ['resting'] }]);
		assert.deepEqual(given()[1].taxa, [
			{ taxon: 13, count: 11, young: false, behaviours: [] }, { taxon: 14, count: 51, young: false, behaviours: [] }]);
		assert.equal(given()[1].several, true);
		assert.deepEqual(given()[2].taxa, [{ taxon: 20, count: null }]);
	});

	it('gives sex and life stage the words of Camtrap DP', async () => {
		await open({ sex: true, life_stage: true });
		await press(page, 'l', 'f', 'm', 'u', 'Enter'); // the last word counts
		await sent(page, mock, 1);
		assert.deepEqual(given()[0].taxa, [{ taxon: 18, count: null, sex: 'male', life_stage: 'subadult' }]);
	});

	it('can be done with the Tab key and the space bar alone', async () => {
		await open(SURVEY);
		await press(page, 'z');
		await page.locator('.option:has-text("young")').focus();
		await press(page, ' ');
		assert.equal(await page.evaluate(() => document.activeElement?.getAttribute('aria-pressed')), 'true');
		await page.locator('.draft .primary').focus();
		await press(page, 'Enter');
		await sent(page, mock, 1);
		assert.equal(given()[0].taxa[0].young, true);
	});

	it('keeps nothing of a draft for the next subject, and takes a whole answer back', async () => {
		const first = await open(SURVEY);
		await press(page, 'z', '2', '+', 'w', '5', 'Enter');
		const second = await onScreen(page, first);
		assert.ok(await page.locator('.draft').isHidden());
		assert.equal((await choices(page)).length, 10);
		assert.equal(await page.locator('.last').textContent(), 'Plains zebra + Blue wildebeest');
		await sent(page, mock, 1);
		await press(page, 'Backspace');
		await onScreen(page, undefined, first);
		assert.ok(second !== first && await page.locator('.draft').isHidden());
		await sent(page, mock, 0);
	});

	it('tells every species that an expert named', async () => {
		const first = await open({});
		mock.truths = new Map([[Number(first), [12, 14]]]);
		await press(page, 'z');
		await page.waitForSelector('.feedback >> text=An expert says: Plains zebra and Blue wildebeest.');
	});

	it('works by touch at 390 px, with targets of 44 px and no sideways scroll', async () => {
		const first = await open(SURVEY, { viewport: { width: 390, height: 740 }, hasTouch: true, isMobile: true });
		await page.tap('.choice:has-text("Topi")');
		await page.waitForSelector('.asked');
		assert.deepEqual(await smallTargets(page), []);
		assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 390);
		await page.tap('.option:has-text("11–50")');
		await page.tap('.option:has-text("eating")');
		await page.tap('text=Another species');
		await page.tap('.choice:has-text("Plains zebra")');
		await page.tap('.option:text-is("2")');
		await page.tap('.draft .primary');
		await onScreen(page, first);
		await sent(page, mock, 1);
		assert.deepEqual(given()[0].taxa, [
			{ taxon: 13, count: 11, young: false, behaviours: ['eating'] }, { taxon: 12, count: 2, young: false, behaviours: [] }]);
	});
});
