// On a phone: what is needed while one labels is at the thumb, and nothing is wider than the screen, whatever the language.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { Mock } from './mock.mjs';
import { serengeti } from './serengeti.mjs';
import { launch, onScreen, sent } from './support.mjs';

const PAGE = {
	n_answers: 1204, days: [], favourites: [],
	projects: [{
		slug: 'mara', title: 'Mara Triangle', n_answers: 1204, skill: { p: 0.93, low: 0.88, high: 0.97 }, species: [{ taxon: 12, name: 'Plains zebra', n: 300 }],
		best: [{ taxon: 12, name: 'Plains zebra', p: 0.98, low: 0.93, high: 1, n: 40 }],
		mixed: [{ truth: 13, truth_name: 'Topi', said: 14, said_name: 'Blue wildebeest', n: 3 }],
	}],
};

describe('on a phone', { timeout: 240_000 }, () => {
	let browser, mock, context, page;

	before(async () => {
		browser = await launch();
	});
	after(() => browser.close());
	afterEach(async () => {
		await context.close();
		await mock.stop().catch(() => null);
	});

	async function open(width, height, what = {}, options = {}) {
		mock = new Mock(what);
		await mock.start();
		context = await browser.newContext({ viewport: { width, height }, hasTouch: true, isMobile: true, ...options });
		page = await context.newPage();
		page.setDefaultTimeout(10_000);
	}
	/** Whether a finger in the middle of it meets it. */
	const isFree = (selector) => page.$eval(selector, (node) => {
		const { x, y, width, height } = node.getBoundingClientRect();
		return width >= 44 && height >= 44 && node.contains(document.elementFromPoint(x + width / 2, y + height / 2));
	});

	for (const [width, height, least] of [[360, 740, 0.85], [390, 844, 0.85], [667, 375, 0]])
		it(`has undo and the last answers free, also while an answer is told about, at ${width} x ${height}`, async () => {
			await open(width, height);
			mock.truths = new Map([[101, 13], [102, 13], [103, 13]]);
			mock.others = { n: 5, shares: [[13, 0.8], [12, 0.2]] };
			await page.goto(`${mock.url}#/p/mara`);
			const first = await onScreen(page);
			await page.tap('.taxa .choice:has-text("zebra")');
			await page.waitForSelector('.feedback');
			await onScreen(page, first);
			for (const selector of ['.undo', '.recent', '.always .choice', '.always .more']) {
				assert.ok(await isFree(selector), selector);
				assert.ok((await page.locator(selector).first().boundingBox()).y >= least * height, `${selector} is at the thumb`);
			}
			await page.tap('.recent');
			await page.waitForSelector('dialog.recent li img');
			const { name_px, button_px } = await page.$eval('dialog.recent li', (row) => ({
				name_px: row.querySelector('strong').getBoundingClientRect().height, button_px: row.querySelector('button').getBoundingClientRect().height,
			}));
			assert.ok(name_px <= button_px, `the name is ${name_px} px high`);
			await page.tap('dialog.recent .primary');
			await page.tap('.undo');
			await onScreen(page, undefined, first);
			assert.equal(mock.standing().length, 0);
		});

	for (const height of [640, 740])
		it(`has undo free under a card, beside a survey and where nothing is left, ${height} px high`, async () => {
			await open(360, height, { n_subjects: 2, survey: { count: true, young: true } });
			mock.guesses = new Map([[102, 20]]);
			await page.goto(`${mock.url}#/p/mara`);
			const first = await onScreen(page);
			await page.tap('.taxa .choice:has-text("zebra")');
			for (const selector of ['.undo', '.recent', '.draft .primary', '.draft .row button'])
				assert.ok(await isFree(selector), `${selector} beside a survey`);
			await page.tap('.draft .primary');
			await onScreen(page, first);
			for (const selector of ['.undo', '.recent', '.confirm .yes', '.confirm .choice:last-child'])
				assert.ok(await isFree(selector), `${selector} under a card`);
			await page.tap('.confirm .yes');
			await sent(page, mock, 2);
			await page.waitForSelector('.empty h2');
			assert.ok(await isFree('.undo'));
			await page.tap('.undo');
			await onScreen(page, undefined, '102');
			await page.tap('.undo');
			await onScreen(page, undefined, first);
		});

	/** Elements that stick out of the screen at the right or are cut in their own box, as text. */
	const tooWide = () => page.evaluate(() => [
		...document.documentElement.scrollWidth > innerWidth ? [`the page is ${document.documentElement.scrollWidth} px wide`] : [],
		...[...document.querySelectorAll('body *')].filter((node) => {
			const { right, width, height } = node.getBoundingClientRect();
			const isScrolled = node.closest('.quick, .strip, .looks');
			return width > 1 && height > 1 && !isScrolled && right > innerWidth + 0.5 && getComputedStyle(node).clipPath === 'none' && !node.closest('svg, .sr');
		}).map((node) => `${node.tagName}.${node.className} ${node.textContent.slice(0, 30)}`),
		...[...document.querySelectorAll('button, kbd, dialog, .head, .card')].filter((node) => node.scrollWidth > node.clientWidth + 1 && node.clientWidth > 0)
			.map((node) => `${node.tagName}.${node.className} "${node.textContent.slice(0, 30)}" is cut`),
	]);

	for (const width of [320, 360])
		for (const locale of ['en', 'es', 'fr', 'sw'])
			it(`is nowhere wider than ${width} px, in ${locale}`, async () => {
				await open(width, 640, { project: serengeti(), survey: { count: true, young: true, sex: true, life_stage: true, behaviours: ['interacting'] } }, { locale });
				mock.page = PAGE;
				mock.practice = [{ subject: 102, taxa: [mock.told.taxa[3].id], why: 'Its thighs are **dark**.' }];
				mock.likely = mock.told.taxa.slice(2, 6).map(({ id }) => id);
				const check = async (where) => assert.deepEqual(await tooWide(), [], where);
				await page.goto(mock.url);
				await page.waitForSelector('.card');
				await check('landing');
				await page.click('#account button');
				await check('logging in');
				await page.keyboard.press('Escape');
				await page.click('.card .primary');
				const first = await onScreen(page);
				await page.waitForSelector('.practice-offer:not([hidden])');
				await check('labelling');
				await page.click('.practice-offer .primary');
				await page.waitForSelector('dialog.practice .choice:enabled');
				await check('practice');
				await page.click('dialog.practice .taxa .choice >> nth=0');
				await page.waitForSelector('.explained:not([hidden])');
				await check('its explanation');
				await page.keyboard.press('Escape');
				await page.click('#help');
				await check('help');
				assert.ok(await page.$eval('dialog.help h2', (title) => title.getBoundingClientRect().top > 0), 'the list begins at its top');
				await page.keyboard.press('Escape');
				await page.click('.more-tools');
				await page.click('.tool[data-tool=light]');
				await check('the tools');
				await page.click('.tool[data-tool=light]');
				await page.click('.more-tools');
				mock.truths = new Map([[Number(first), mock.told.taxa[2].id]]);
				mock.others = { n: 5, shares: [[12, 0.8], [13, 0.2]] };
				await page.click('.taxa .choice >> nth=3');
				await check('the survey');
				await page.click('.draft .row button');
				await check('several species');
				await page.click('.draft .primary');
				await page.waitForSelector('.feedback');
				await onScreen(page, first);
				await check('what is told of an answer');
				await page.click('.feedback .close');
				await page.click('.recent');
				await page.waitForSelector('dialog.recent li img');
				await check('the last answers');
				await page.keyboard.press('Escape');
				mock.hooks['before classifications'] = () => {
					throw mock.refuse(409, 'conflict', 'you have answered this subject already');
				};
				await page.evaluate(() => document.activeElement.blur());
				await page.keyboard.press('0');
				await page.waitForSelector('.problem');
				await check('a problem');
				await page.click('.problem button');
				await page.click('#sending');
				await page.waitForSelector('dialog.sending li');
				await check('what waits and what was refused');
				await page.keyboard.press('Escape');
				mock.addUser('Wanjiku Kamau-Odhiambo', 'a long password');
				await page.click('#account button');
				await page.fill('dialog [name=name]', 'Wanjiku Kamau-Odhiambo');
				await page.fill('dialog [name=password]', 'a long password');
				await page.click('dialog [type=submit]');
				await page.waitForSelector('#account .who');
				await check('logged in, with an answer that was refused');
				await page.goto(`${mock.url}#/me`);
				await page.waitForSelector('.my-projects');
				await check('one’s own page');
				await page.click('.me .row button >> nth=1');
				await page.waitForSelector('#account .signup', { state: 'attached' }); // logged out
			});
});
