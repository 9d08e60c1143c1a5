// Choosing the answer among 54 kinds: by look, by search, by key, from the row of the likely ones.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { serengeti } from './serengeti.mjs';
import { PHONE, choices, onScreen, press, sent, visits } from './support.mjs';

const PROJECT = serengeti();
const idOf = (code) => PROJECT.taxa.find((taxon) => taxon.code === code).id;

describe('a grid of 54 kinds', { timeout: 120_000 }, () => {
	const { visit, serve } = visits();
	let mock, page;

	async function open({ likely = null, survey = {}, ...options } = {}) {
		mock = await serve({ project: PROJECT, survey }, (server) => {
			server.likely = likely;
		});
		page = await visit(options);
		await page.goto(`${mock.url}#/p/mara`);
		return onScreen(page);
	}
	const given = () => mock.standing().map(({ body }) => body.answer === 'taxa' ? body.taxa.map((one) => one.taxon) : body.answer);
	const badgeOf = (name) => page.textContent(`.choice:has(.name:text-is("${name}")) kbd`);

	it('finds the zebra by stripes and a horse’s shape in three taps of a thumb', async () => {
		const first = await open(PHONE);
		const taps = ['.by-look', '.value:has(:text-is("Stripes"))', '.value:has(:text-is("Horse"))'];
		for (const what of taps)
			await page.tap(what);
		assert.deepEqual(await page.locator('.offer .name').allTextContents(), ['Plains zebra']);
		assert.equal(await page.textContent('.left'), '1 fits');
		const small = await page.$$eval('.sheet button', (nodes) => nodes.map((node) => [node.textContent, node.getBoundingClientRect()])
			.filter(([, box]) => box.width < 44 || box.height < 40).map(([text]) => text));
		assert.deepEqual(small, []);
		await page.tap('.offer .offered');
		await onScreen(page, first);
		await sent(page, mock, 1);
		assert.deepEqual(given(), [[idOf('zebra')]]);
		assert.equal((await choices(page)).length, 54, 'the next subject starts with every name');
		assert.equal(await page.locator('dialog[open]').count(), 0);
		assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 360);
	});

	it('leaves by look only what has every look that was chosen, by keys alone', async () => {
		await open();
		await press(page, '#');
		await page.waitForSelector('.looks-place:not([hidden])');
		const lines = await page.$$eval('.look', (rows) => rows.map((row) => {
			const begin = new Map();
			for (const chip of row.querySelectorAll('.value')) {
				const { top, left } = chip.getBoundingClientRect();
				begin.set(top, Math.min(begin.get(top) ?? left, left));
			}
			return [...begin.values()];
		}));
		assert.ok(lines.some((row) => row.length > 1), 'a row of two lines');
		assert.ok(lines.flat().every((left) => Math.abs(left - lines[0][0]) < 0.1), `lines begin apart: ${lines}`);
		await page.focus('.value:has(:text-is("Stripes"))');
		await press(page, 'Space');
		assert.deepEqual(await choices(page), ['Aardwolf', 'Striped hyena', 'Plains zebra', 'Zorilla']);
		assert.equal(await page.getAttribute('.value:has(:text-is("Stripes"))', 'aria-pressed'), 'true');
		assert.ok(await page.locator('.value.none:has(:text-is("Cow"))').count(), 'no striped cow');
		await page.focus('.value:has(:text-is("Small"))');
		await press(page, 'Space');
		assert.deepEqual(await choices(page), ['Aardwolf', 'Zorilla']);
		await page.focus('.value:has(:text-is("Bands"))');
		await press(page, 'Enter');
		assert.deepEqual(await choices(page), PROJECT.taxa.filter(({ looks }) => looks?.pattern.includes('bands') && looks.build.includes('small'))
			.map((taxon) => taxon.common_name));
		await page.click('.clear');
		assert.equal((await choices(page)).length, 54);
		await page.focus('.value:has(:text-is("Bands"))');
		await press(page, 'Escape');
		assert.ok(await page.isHidden('.looks-place'));
		assert.match(await page.evaluate(() => document.activeElement?.className), /by-look/);
	});

	it('finds names of any language, without accents, with one slip, and takes the first by Enter', async () => {
		let shown = await open();
		const rows = [['zebre', 'zebra'], ['punda', 'zebra'], ['equus', 'zebra'], ['millia', 'zebra'], ['gazella thomson', null], ['lepard', 'leopard'],
			['hyean', 'hyena-spotted'], ['nu azul', 'wildebeest'], ['wild', 'wildcat'], ['fox', 'bat-eared-fox'], ['xqzw', null]];
		for (const [typed, code] of rows) {
			await press(page, '/');
			await page.keyboard.type(typed);
			const [first] = await choices(page);
			assert.equal(first, PROJECT.taxa.find((taxon) => taxon.code === code)?.common_name, typed);
			await press(page, 'Escape');
		}
		assert.equal((await choices(page))[0], 'Aardvark', 'the grid is in its order again');
		await press(page, '/');
		await page.keyboard.type('zébre');
		await press(page, 'Enter');
		shown = await onScreen(page, shown);
		await sent(page, mock, 1);
		assert.deepEqual(given(), [[idOf('zebra')]]);
	});

	it('has a key for every kind, none of them the page’s own', async () => {
		const first = await open();
		const badges = await page.$$eval('.taxa .choice', (nodes) => nodes.map((node) => [node.querySelector('kbd')?.textContent, node.getAttribute('aria-keyshortcuts')]));
		assert.equal(badges.length, 54);
		assert.equal(new Set(badges.map(([key]) => key)).size, 54, 'no two have the same');
		for (const [key, shortcut] of badges) {
			assert.match(key, /^(⇧[A-Z]|[a-z1-9])$/);
			assert.equal(shortcut, key.replace('⇧', 'Shift+'));
		}
		assert.ok(!badges.some(([key]) => /n/i.test(key)), '"something else" of the card');
		assert.equal(await badgeOf('Plains zebra'), 'z');
		assert.equal(await badgeOf('Zorilla'), '⇧Z');
		await press(page, 'Shift+Z');
		const second = await onScreen(page, first);
		await press(page, 'z');
		await onScreen(page, second);
		await sent(page, mock, 2);
		assert.deepEqual(given(), [[idOf('zorilla')], [idOf('zebra')]]);
	});

	it('offers this visit’s answers and the likely ones above a grid that stays', async () => {
		const likely = [idOf('impala'), idOf('zebra'), idOf('topi')];
		const first = await open({ likely });
		const offered = () => page.locator('.quick .name').allTextContents();
		const places = () => page.$$eval('.taxa .choice', (nodes) => nodes.map((node) => [node.textContent, node.offsetTop, node.offsetLeft]));
		assert.deepEqual(await offered(), ['Impala', 'Plains zebra', 'Topi']);
		const before = await places();
		await press(page, 'Shift+Z');
		const second = await onScreen(page, first);
		assert.deepEqual(await offered(), ['Zorilla', 'Impala', 'Plains zebra', 'Topi']);
		await page.click('.quick >> text=Topi');
		await onScreen(page, second);
		assert.deepEqual(await offered(), ['Topi', 'Zorilla', 'Impala', 'Plains zebra']);
		assert.deepEqual(await places(), before);
		await sent(page, mock, 2);
		assert.deepEqual(given(), [[idOf('zorilla')], [idOf('topi')]]);
	});

	it('keeps keys of one’s own over a reload, exchanges one that is taken, and gives all back', async () => {
		await open();
		const openKeys = async () => {
			await press(page, '?');
			await page.click('dialog >> text=Change keys');
		};
		await openKeys();
		const held = await badgeOf('Giraffe');
		await page.fill('[aria-label="Key of Giraffe"]', 'z');
		assert.match(await page.textContent('.keys [role=status]'), /^Plains zebra had it; its key is/);
		await page.fill('[aria-label="Key of Giraffe"]', '+');
		assert.match(await page.textContent('.keys [role=status]'), /“\+” cannot be a key/);
		await press(page, 'Escape');
		await page.reload();
		const first = await onScreen(page);
		assert.equal(await badgeOf('Giraffe'), 'z');
		assert.equal(await badgeOf('Plains zebra'), held);
		assert.equal(await badgeOf('Zorilla'), '⇧Z', 'the others stay');
		await press(page, 'z');
		await onScreen(page, first);
		await sent(page, mock, 1);
		assert.deepEqual(given(), [[idOf('giraffe')]]);
		await openKeys();
		await page.click('.keys >> text=All as they were');
		assert.equal(await badgeOf('Plains zebra'), 'z');
		assert.equal(await badgeOf('Giraffe'), held);
	});

	it('has only arrows and Enter where letters are turned off', async () => {
		await open();
		await press(page, '?');
		await page.click('dialog >> text=Change keys');
		await page.uncheck('.keys .switch input');
		await press(page, 'Escape');
		await page.reload();
		const first = await onScreen(page);
		await press(page, 'z', 'Shift+Z', '0', ' ', '+', '/', '#', '=', '?', '1');
		await page.waitForTimeout(200);
		assert.equal(mock.answers.length, 0);
		assert.equal(await page.locator('dialog[open]').count(), 0);
		assert.ok(await page.isHidden('.draft'));
		assert.equal(await page.locator('.taxa kbd').count(), 0);
		await press(page, 'ArrowRight');
		await page.focus('.taxa .choice');
		await press(page, 'ArrowRight', 'Enter');
		await onScreen(page, first);
		await sent(page, mock, 1);
		assert.deepEqual(given(), [[idOf('aardwolf')]]);
	});

	it('keeps Done at the thumb while another species is looked for among them', async () => {
		const first = await open({ survey: { count: true, behaviours: ['eating'] }, ...PHONE });
		await page.tap('.taxa .choice:has-text("Impala")');
		await page.tap('.option:text-is("11–50")');
		await page.tap('text=Another species');
		await page.evaluate(() => scrollTo(0, 900));
		const row = await page.evaluate(() => ['.recent', '.undo', '.draft .primary'].map((selector) => {
			const node = document.querySelector(`.label ${selector}`);
			const { x, y, width, height } = node.getBoundingClientRect();
			const isFree = [0.02, 0.5, 0.98].every((share) => node.contains(document.elementFromPoint(x + share * width, y + height / 2)));
			return { selector, isFree, left: x, right: x + width, top: y, bottom: y + height };
		}));
		for (const { selector, isFree, top, bottom } of row)
			assert.ok(isFree && top > 0.8 * 740 && bottom <= 740, `${selector} is at the thumb, and all of it is free`);
		const [, undo, done] = row;
		assert.ok(done.left - undo.right < 16 && done.right > 360 - 16, `Done has the rest of the row: ${done.left} to ${done.right} px`);
		await page.tap('.taxa .choice:has-text("Plains zebra")');
		await page.tap('.option:text-is("2")');
		await page.tap('.draft .primary');
		await onScreen(page, first);
		await sent(page, mock, 1);
		assert.deepEqual(mock.answers[0].body.taxa.map(({ taxon, count }) => [taxon, count]), [[idOf('impala'), 11], [idOf('zebra'), 2]]);
	});
});
