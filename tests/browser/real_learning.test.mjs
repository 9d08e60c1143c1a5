// What stands beside the answering, on the real server: guide and pictures, practice, flags, comments, moderation, the likely row.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { scene } from './png.mjs';
import { Real, missing } from './real.mjs';
import { launch, logIn, onScreen, sent } from './support.mjs';

const skip = await missing();
/** With these the project has enough names for a row of the likely ones. */
const MORE = ['Aardvark', 'Bushbuck', 'Caracal', 'Duiker', 'Eland', 'Fox', 'Genet', 'Honey badger', 'Impala', 'Jackal', 'Kudu'];

describe('reading, practising, flagging and talking on topi serve', { timeout: 120_000, skip: skip ?? false }, () => {
	let browser, real, context, page;
	const faults = [];

	before(async () => {
		browser = await launch();
		real = await Real.make(browser, 12);
		await real.setProject({
			confusions: [{ taxa: ['zebra', 'topi'], text: 'Only one has *stripes*.' }],
			taxa: MORE.map((name) => ({ code: name.toLowerCase().replace(' ', '_'), kind: 'animal', common_name: name, scientific_name: `${name} sp.` })),
		});
		await real.setPages({
			'guide.md': '# The animals\n\nLook for *stripes*.\n', 'guide/zebra.md': '# Plains zebra\n\n![stripes](../taxa/zebra.png)\n',
			'practice/topi.md': 'Its thighs are *dark*.\n', 'taxa/zebra.png': scene(1, 96, 64),
		});
		await real.setPolicy({ plant_first: 0, plant_rate: 0 }); // what is planted among the tasks is not practised on
		await real.addGold({ 8: 'topi' });
		await real.addUser('mo', 'a long password', 'moderator');
		await real.addUser('vera', 'a long password', 'expert');
		context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
		page = await watched(context);
	});
	after(async () => {
		await context?.close();
		await real?.remove();
		await browser.close();
		assert.deepEqual(faults, []);
	});

	/** A tab on the project. */
	async function watched(where) {
		const tab = await where.newPage();
		tab.setDefaultTimeout(10_000);
		tab.on('pageerror', (error) => faults.push(String(error)));
		tab.on('console', (message) => /Content Security Policy/.test(message.text()) && faults.push(message.text()));
		await tab.goto(`${real.url}#/p/mara`);
		await onScreen(tab);
		return tab;
	}
	/** Somebody with a role, in a browser of their own, at the comments and flags. */
	async function atComments(name) {
		const tab = await watched(await browser.newContext());
		await logIn(tab, name, 'a long password');
		await onScreen(tab);
		await tab.keyboard.press('@');
		await tab.click('dialog >> text=Comments and flags');
		return tab;
	}
	const drawn = (selector) => page.waitForFunction((one) => document.querySelector(one)?.naturalWidth > 0, selector);

	it('draws a taxon’s picture and reads the guide', async () => {
		await drawn('.taxa .choice img');
		await page.keyboard.press('@');
		await page.click('dialog.learn >> text=Field guide');
		await page.waitForSelector('dialog.reading em >> text=stripes');
		assert.equal(await page.textContent('dialog.reading h2'), 'The animals');
		await page.click('.kinds >> text=Plains zebra');
		await drawn('dialog.reading .page img');
		await page.keyboard.press('Escape');
	});

	it('practises on gold and sends nothing', async () => {
		await page.click('.practice-offer .primary');
		await page.waitForSelector('dialog.practice .choice:enabled');
		await page.click('dialog.practice .choice:has(.name:text-is("Topi"))');
		await page.waitForSelector('.explained em >> text=dark');
		assert.equal(await page.textContent('.explained h3'), 'Right: Topi.');
		await page.keyboard.press('Enter');
		await page.waitForSelector('dialog.practice', { state: 'detached' });
		assert.deepEqual(await real.standing(), []);
	});

	it('sends a comment, shows it in the list of answers, and a moderator hides it', async () => {
		const shown = await onScreen(page);
		assert.ok(await page.isDisabled('.talk-aid'), 'first the answer');
		await page.keyboard.press('z');
		await onScreen(page, shown);
		await sent(page, real, 1);
		await page.click('.talk-aid');
		await page.click('.talk textarea');
		await page.keyboard.type('Is that <b>a foal</b> behind it?');
		await page.click('.talk >> text=Send');
		await page.waitForSelector('.comment .said >> text=Is that <b>a foal</b> behind it?');
		assert.equal(await page.locator('.said b, .comment >> text=Hide').count(), 0);
		await page.keyboard.press('Escape');
		await page.click('button.recent');
		await page.waitForSelector('.answers-given strong');
		assert.deepEqual(await page.locator('.answers-given strong').allTextContents(), ['Plains zebra']);
		await drawn('.answers-given img');
		await page.click('.answers-given [aria-label="Talk about Plains zebra"]');
		await page.waitForSelector('.comment .said >> text=a foal');
		await page.keyboard.press('Escape');

		const moderator = await atComments('mo');
		await moderator.click('.comment >> text=Hide');
		await moderator.fill('.hide input', 'a test');
		await moderator.keyboard.press('Enter');
		await moderator.waitForSelector('.hidden-comment');
		await moderator.context().close();
		await page.click('.talk-aid');
		await page.waitForSelector('.talk .comment, .talk li.hint');
		assert.equal(await page.locator('.talk >> text=a foal').count(), 0);
		await page.keyboard.press('Escape');
	});

	it('flags a favourite and takes it back; a moderator looks at what is damaged', async () => {
		const told = (text) => page.waitForFunction((one) => document.querySelector('.flags [role=status]').textContent === one, text);
		await page.keyboard.press('!');
		await page.check('.flag:has-text("A favourite") input');
		await page.waitForFunction(() => document.querySelector('.flags [role=status]').textContent !== '');
		await page.uncheck('.flag:has-text("A favourite") input');
		await told('Taken back.');
		await page.check('.flag:has-text("damaged") input');
		await page.waitForFunction(() => document.querySelector('.flags [role=status]').textContent !== 'Taken back.');
		await page.keyboard.press('Escape');
		const moderator = await atComments('mo');
		await moderator.waitForSelector('.flagged >> text=The picture is damaged × 1');
		await moderator.click('.flagged >> text=Looked at');
		await moderator.waitForSelector('.moderation >> text=Nothing is flagged.');
		await moderator.context().close();
	});

	it('flags a person, and the photograph is hidden until an expert has looked', async () => {
		const subject = await onScreen(page);
		await page.keyboard.press('!');
		await page.check('.flag:has-text("A person can be recognised") input');
		await page.waitForFunction(() => document.querySelector('.flags [role=status]').textContent !== '');
		await page.keyboard.press('Escape');
		const file = await page.$eval('.picture img', (image) => image.src);
		assert.notEqual((await fetch(file)).status, 200);
		const expert = await atComments('vera');
		await expert.waitForSelector(`.flagged li:has-text("A person can be recognised"):has-text("${subject}")`);
		await expert.waitForFunction(() => document.querySelector('.flagged img')?.naturalWidth > 0);
		await expert.keyboard.press('Escape');
		await expert.check('.switch input');
		await onScreen(expert, undefined, subject);
		await expert.keyboard.press('l'); // the verdict retires the subject
		await sent(expert, real, 2);
		await expert.context().close();
	});

	it('offers what is labelled here first', async () => {
		await page.reload();
		await onScreen(page);
		await page.waitForSelector('.quick .name');
		assert.deepEqual(await page.locator('.quick .name').allTextContents(), ['Lion']);
	});

	it('compares the pair that somebody mixed up, once an expert’s truth is told', async () => {
		await real.addGold({ 9: 'topi', 10: 'topi', 11: 'topi', 12: 'topi' });
		await real.setPolicy({ plant_first: 0.5 });
		const other = await browser.newContext();
		const learner = await watched(other);
		for (let i = 0, shown; i < 9 && await learner.locator('.feedback .compare').count() === 0; i++) {
			shown = await onScreen(learner, shown);
			const answered = learner.waitForResponse('**/classifications');
			await learner.keyboard.press('z');
			await (await answered).finished();
			await learner.waitForFunction((one) => document.querySelector('.feedback') || document.querySelector('.work').dataset.subject !== one, shown);
		}
		await learner.click('.feedback .compare');
		await learner.waitForSelector('dialog .comparison em >> text=stripes');
		assert.deepEqual(await learner.locator('dialog .pair figcaption').allTextContents(), ['Plains zebra', 'Topi']);
		await learner.waitForFunction(() => document.querySelector('dialog .pair img')?.naturalWidth > 0);
		await other.close();
	});
});
