// A whole session of somebody whose browser asks for Kiswahili, on the real server: nothing that the page says is English.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { words as english } from '../../static/lang/en.js';
import { words as swahili } from '../../static/lang/sw.js';
import { Real, missing } from './real.mjs';
import { onScreen, pictures, sent, signUp, visits } from './support.mjs';

const skip = await missing();
const PROJECT = {
	titles: { sw: 'Pembetatu ya Mara' },
	taxa: [{ code: 'zebra', names: { sw: 'Punda milia' } }, { code: 'topi', names: { sw: 'Nyamera' } }, { code: 'lion', names: { sw: 'Simba' } }],
	survey: { count: true, young: true, behaviours: ['eating'], behaviour_names: { eating: { sw: 'anakula' } } },
};

/** Every English text as an expression for whole texts; what is the same in both languages says nothing. */
const forms = (text) => typeof text === 'string' ? [text] : Object.values(text);
const said = Object.entries(english).flatMap(([key, text]) => forms(text)
	.filter((form) => !forms(swahili[key]).includes(form) && /\p{L}{3}/u.test(form.replace(/\{\w+\}/g, '')))
	.map((form) => ({ key, is: new RegExp(`^${form.replace(/[.*+?^$()|[\]\\]/g, '\\$&').replace(/\{\w+\}/g, '.+')}$`, 'iu') })));

describe('a session in Kiswahili', { timeout: 120_000, skip: skip ?? false }, () => {
	const people = visits();
	let real;
	before(async () => {
		real = await Real.make(people.browser, 8);
		await real.setProject(PROJECT);
	});
	after(() => real?.remove());

	it('says nothing in English, keeps the language that is chosen, and knows the animals by their names', async () => {
		const page = await people.visit({ locale: 'sw-KE' });
		const whole = pictures(page.context());
		/** What can be read or heard on the page now. */
		const texts = () => page.evaluate(() => {
			const found = [];
			const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
			while (walk.nextNode())
				if (!walk.currentNode.parentElement.closest('noscript, template, option, .skip'))
					found.push(walk.currentNode.data.trim());
			for (const node of document.querySelectorAll('[aria-label], [title], [placeholder], img[alt]'))
				for (const name of ['aria-label', 'title', 'placeholder', 'alt'])
					found.push((node.getAttribute(name) ?? '').trim());
			return [...new Set(found)].filter((text) => text !== '');
		});
		const check = async (where) => {
			const all = await texts();
			assert.ok(all.length > 5, where);
			assert.deepEqual(all.flatMap((text) => said.filter(({ is }) => is.test(text)).map(({ key }) => `${where}: ${key}: ${text}`)), []);
		};
		await page.goto(real.url);
		await page.waitForSelector('.card');
		assert.equal(await page.getAttribute('html', 'lang'), 'sw');
		assert.equal(await page.textContent('.hero h1'), 'Nani amepita mbele ya kamera?');
		await check('landing');
		await page.click('#help');
		await check('keys');
		await page.keyboard.press('Escape');
		await page.click('.card .primary');
		const first = await onScreen(page);
		assert.ok(await page.isVisible('.taxa .choice:has-text("Punda milia")'));
		await check('labelling');
		await page.click('.taxa .choice:has-text("Punda milia")');
		await page.waitForSelector('.draft:not([hidden])');
		assert.ok(await page.isVisible('.option:has-text("anakula")'));
		await check('the survey');
		await page.keyboard.press('Enter');
		const second = await onScreen(page, first);
		await sent(page, real, 1);
		await page.keyboard.press('?');
		await check('the keys of the screen');
		await page.keyboard.press('Escape');
		await whole(5);
		await real.stop();
		await page.keyboard.press('0');
		await onScreen(page, second);
		await page.waitForSelector('#sending:not([hidden])');
		await page.click('#sending');
		await check('off line');
		await page.keyboard.press('Escape');
		await real.start();
		await sent(page, real, 2);
		await page.goto(real.url);
		await page.click('#account >> text=Jisajili');
		await check('signing up');
		await page.keyboard.press('Escape');
		await page.goto(`${real.url}#/me`);
		await page.waitForSelector('.me h1');
		await check('one’s own page');
		await page.goto(`${real.url}#/p/none`);
		await page.waitForSelector('text=Hakuna mradi kama huo');
		await check('no such project');

		await page.selectOption('#language', 'en');
		await page.waitForSelector('text=No such project');
		await page.reload();
		await page.waitForSelector('text=No such project');
		assert.equal(await page.getAttribute('html', 'lang'), 'en');
		await page.goto(real.url);
		await signUp(page, 'amina', 'a good password');
		await page.selectOption('#language', 'fr');
		await page.waitForSelector('.hero >> text=Qui est passé');
		assert.match(await page.textContent('.hero .mine'), /Vous avez donné 2 réponses/);
	});
});
