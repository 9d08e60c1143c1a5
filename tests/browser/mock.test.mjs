// What a volunteer does, in a real browser, against a server in memory that can be made to fail at a chosen moment.
import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { assertOnce, choices, logIn, onScreen, sent, visits } from './support.mjs';

describe('the labelling page', { timeout: 240_000 }, () => {
	const { visit, serve } = visits();
	let mock, page;

	async function open(options) {
		page = await visit(options);
		return page;
	}
	beforeEach(async () => {
		mock = await serve();
	});

	const label = () => page.goto(`${mock.url}#/p/mara`);

	it('tells what an expert said of a subject to learn from, and of no other', async () => {
		mock.truths = new Map([[101, 12], [102, 13]]); // zebra, topi
		await open();
		await label();
		let shown = await onScreen(page);
		await page.keyboard.press('z');
		await page.waitForSelector('.feedback >> text=An expert says so too: Plains zebra.');
		shown = await onScreen(page, shown);
		await page.keyboard.press('w');
		await page.waitForSelector('.feedback >> text=An expert says: Topi.');
		assert.equal(await page.locator('.feedback').count(), 1);
		await page.click('.feedback button');
		await onScreen(page, shown);
		await page.keyboard.press('w');
		await sent(page, mock, 3);
		assert.equal(await page.locator('.feedback').count(), 0);
	});

	it('asks to confirm a guess by one key, and by another for the whole survey', async () => {
		mock.guesses = new Map([[101, 12], [102, 13], [103, 11], [104, 14]]); // zebra, topi, nothing here, wildebeest
		await open();
		await label();
		let shown = await onScreen(page);
		assert.equal(await page.textContent('.ask'), 'Is this right?');
		assert.equal(await page.textContent('.guess .name'), 'Plains zebra');
		assert.ok(await page.isHidden('.answers'));
		for (const key of ['t', ' ', '0', '/', 'z'])
			await page.keyboard.press(key); // the answers' keys are not the card's
		assert.equal(mock.answers.length, 0);
		await page.keyboard.press('Enter');
		shown = await onScreen(page, shown);
		assert.equal(await page.textContent('.guess .name'), 'Topi');
		await page.keyboard.press('n');
		assert.ok(await page.isHidden('.confirm'));
		assert.equal(await page.textContent('.ask'), 'What do you see?');
		await page.keyboard.press('w');
		shown = await onScreen(page, shown);
		assert.equal(await page.textContent('.guess .name'), 'Nothing here');
		await page.click('.confirm .yes');
		shown = await onScreen(page, shown);
		await page.click('.confirm >> text=Something else');
		await page.click('.choice:has-text("Can’t tell")');
		await onScreen(page, shown);
		assert.ok(await page.isHidden('.confirm'), 'the next subject has no guess');
		await sent(page, mock, 4);
		const given = mock.answers.map(({ body }) => body.answer === 'taxa' ? body.taxa[0].taxon : body.answer);
		assert.deepEqual(given, [12, 14, 11, 'cant_tell']);
		await page.keyboard.press('Backspace');
		await onScreen(page, undefined, '104');
		assert.equal(await page.textContent('.guess .name'), 'Blue wildebeest', 'taken back, the card is as it was');
		await assertOnce(mock, 3);
	});

	it('leads by Tab and Enter through a card, and tells it to screen readers', async () => {
		mock.guesses = new Map([[101, 12]]);
		await open();
		await label();
		await onScreen(page);
		assert.match(await page.textContent('#news'), /guess: Plains zebra. Is this right\?/);
		assert.equal(await page.getByRole('group', { name: 'Is the guess right?' }).count(), 1);
		await page.getByRole('button', { name: 'Something else' }).focus();
		await page.keyboard.press('Enter');
		assert.equal(await page.evaluate(() => document.activeElement?.textContent), 'Plains zebraz');
		assert.equal(mock.answers.length, 0);
	});

	it('has a card in reach of the thumb on a phone, and in the dark', async () => {
		mock.guesses = new Map([[101, 12], [102, 13]]);
		await open({ viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, colorScheme: 'dark' });
		await label();
		const first = await onScreen(page);
		const boxes = await page.$$eval('.confirm .choice', (nodes) => nodes.map((node) => node.getBoundingClientRect().toJSON()));
		assert.equal(boxes.length, 2);
		for (const box of boxes)
			assert.ok(box.height >= 44 && box.top > 422 && box.bottom <= 844 && box.right <= 390, JSON.stringify(box));
		const guess = await page.locator('.guess').boundingBox();
		assert.ok(boxes[0].top - guess.y - guess.height < 24, 'the buttons are right under the card');
		assert.ok(boxes[0].width > boxes[1].width && boxes[0].height >= 56, 'yes is the large one');
		assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 390);
		await page.tap('.confirm .yes');
		await onScreen(page, first);
		await page.tap('.confirm >> text=Something else');
		await page.tap('.choice:has-text("Plains zebra")');
		await sent(page, mock, 2);
	});

	it('tells what the model thinks after an answer, where the project wants that', async () => {
		mock.opinions = new Map([[101, 12], [102, 13]]);
		mock.truths = new Map([[102, 14]]);
		await open();
		await label();
		let shown = await onScreen(page);
		await page.keyboard.press('w');
		await page.waitForSelector('.feedback >> text=The computer thinks: Plains zebra. It may be wrong.');
		shown = await onScreen(page, shown);
		await page.keyboard.press('w');
		await page.waitForSelector('.feedback >> text=An expert says so too: Blue wildebeest.');
		await onScreen(page, shown);
		await page.keyboard.press('w');
		await sent(page, mock, 3); // of the third it has said nothing
		assert.match(await page.textContent('.feedback'), /An expert/);
	});

	it('takes names by the filter', async () => {
		await open();
		await label();
		const first = await onScreen(page);
		await page.keyboard.press('/');
		await page.keyboard.type('crocuta');
		assert.deepEqual(await choices(page), ['Spotted hyena']);
		await page.keyboard.press('Enter');
		await onScreen(page, first);
		await sent(page, mock, 1);
		assert.equal(mock.answers[0].body.taxa[0].taxon, 19);
		assert.equal((await choices(page)).length, 10, 'the next subject starts with every name');
	});

	it('stays on the screen that was asked for last, whichever reply comes first', async () => {
		let let_go;
		const held = new Promise((resolve) => {
			let_go = resolve;
		});
		mock.hooks['before mara'] = () => held;
		await open();
		await page.goto(`${mock.url}#/p/mara`);
		await page.waitForSelector('#account button');
		await page.evaluate(() => {
			location.hash = '#/';
		});
		await page.waitForSelector('.card');
		const replied = page.waitForResponse('**/api/projects/mara');
		let_go();
		await (await replied).finished();
		await page.waitForTimeout(300);
		assert.ok(await page.isVisible('.card'));
		assert.equal(await page.locator('.work').count(), 0);
		delete mock.hooks['before mara'];
		await page.click('.card .primary');
		await onScreen(page);
	});

	it('takes no key for an answer that is typed in the list of languages', async () => {
		await open();
		await label();
		const first = await onScreen(page);
		await page.focus('#language');
		await page.keyboard.press('z');
		assert.equal(await page.getAttribute('.work', 'data-subject'), first);
		await page.evaluate(() => document.activeElement.blur());
		await page.keyboard.press('t');
		await sent(page, mock, 1);
		assert.equal(mock.answers[0].body.taxa[0].taxon, 13);
	});

	it('disables the answers until the picture is decoded', async () => {
		let let_go;
		const held = new Promise((resolve) => {
			let_go = resolve;
		});
		mock.hooks.media = (_id, size) => size === '1280' ? held : null;
		await open();
		await page.goto(`${mock.url}#/p/mara`, { waitUntil: 'commit' }); // "load" waits for the picture
		await page.waitForSelector('.choice');
		assert.equal(await page.locator('.choice:enabled').count(), 0);
		await page.keyboard.press('z');
		let_go();
		await onScreen(page);
		assert.ok(await page.$eval('.picture img', (image) => image.complete && image.naturalWidth > 0));
		assert.equal(mock.answers.length, 0, 'a key before the picture is no answer');
		await page.keyboard.press('z');
		await sent(page, mock, 1);
	});

	it('loses no answer when the server dies between its commit and its reply', async () => {
		await open();
		await label();
		let n_cuts = 0;
		mock.hooks['after classifications'] = () => n_cuts++ < 2 ? 'cut' : null;
		let last = await onScreen(page);
		for (const key of ['z', 't']) {
			await page.keyboard.press(key);
			last = await onScreen(page, last);
		}
		await mock.stop();
		await page.keyboard.press('w');
		await page.waitForSelector('#sending:not([hidden])');
		assert.match(await page.textContent('#sending'), /answers? waits? to be sent/);
		await mock.start();
		await sent(page, mock, 3);
		await page.waitForSelector('#sending', { state: 'hidden' });
		await assertOnce(mock, 3);
	});

	it('sends after a reload what was not sent before it', async () => {
		await open();
		await label();
		let blocked = true;
		mock.hooks['before classifications'] = () => blocked ? 'cut' : null;
		const first = await onScreen(page);
		await page.keyboard.press('z');
		await onScreen(page, first);
		await page.reload();
		await page.waitForSelector('#sending:not([hidden])');
		assert.notEqual(await onScreen(page), first, 'an answered subject does not come back');
		blocked = false;
		await sent(page, mock, 1);
		await assertOnce(mock, 1);
	});

	it('keeps answers in localStorage where IndexedDB is forbidden', async () => {
		await open();
		await page.addInitScript(() => {
			Object.defineProperty(globalThis, 'indexedDB', { get: () => undefined });
		});
		await label();
		mock.hooks['before classifications'] = () => 'cut';
		await onScreen(page);
		await page.keyboard.press('z');
		await page.waitForSelector('#sending:not([hidden])');
		assert.equal(await page.evaluate(() => Object.keys(localStorage).filter((key) => key.startsWith('topi.outbox.')).length), 1);
		mock.hooks = {};
		await page.reload();
		await sent(page, mock, 1);
		await page.waitForFunction(() => !Object.keys(localStorage).some((key) => key.startsWith('topi.outbox.')));
	});

	it('keeps a refused answer with its reason until it is sent again or put away', async () => {
		await open();
		await label();
		mock.hooks['before classifications'] = () => {
			throw mock.refuse(409, 'conflict', 'you have answered this subject already');
		};
		let shown = await onScreen(page);
		for (const key of ['z', 't']) {
			await page.keyboard.press(key);
			shown = await onScreen(page, shown);
		}
		await page.waitForSelector('.problem:has-text("you have answered this subject already")');
		await page.reload();
		await page.click('#sending:has-text("2 not accepted")');
		assert.ok(await page.isHidden('dialog >> text=Every answer has been sent.'));
		assert.ok(await page.isHidden('dialog >> text=Send now'), 'nothing waits');
		const zebra = page.locator('dialog li:has-text("Plains zebra"):has-text("You have answered this subject already.")');
		const tries = () => mock.requests.filter(({ path }) => path.endsWith('/classifications')).length;
		const before = tries();
		await zebra.getByText('Try again').click();
		for (let i = 0; i < 100 && tries() === before; i++)
			await page.waitForTimeout(50);
		assert.equal(tries(), before + 1);
		await zebra.waitFor(); // refused again, and there as before
		mock.hooks = {};
		await zebra.getByText('Try again').focus();
		await page.keyboard.press('Enter');
		await zebra.waitFor({ state: 'detached' });
		await sent(page, mock, 1);
		assert.equal(mock.standing()[0].body.taxa[0].taxon, 12);
		assert.ok(await page.evaluate(() => document.activeElement.matches('dialog button')), 'the focus stays in the dialog');
		await page.click('dialog li:has-text("Topi") >> text=Put away');
		await page.waitForSelector('#sending', { state: 'hidden' });
		await assertOnce(mock, 1);
	});

	it('undoes the last answers: sent, over a reload, and unsent without a server', async () => {
		await open();
		await label();
		const first = await onScreen(page);
		await page.keyboard.press('z');
		const second = await onScreen(page, first);
		await page.keyboard.press('t');
		await onScreen(page, second);
		await sent(page, mock, 2);
		await page.keyboard.press('Backspace');
		await onScreen(page, undefined, second);
		await page.keyboard.press('w');
		await onScreen(page, second);
		await sent(page, mock, 2);
		await page.reload();
		await onScreen(page);
		await page.keyboard.press('Backspace');
		await onScreen(page, undefined, second);
		await page.keyboard.press('Backspace');
		await onScreen(page, undefined, first);
		assert.equal(mock.standing().length, 0);
		await mock.stop();
		await page.keyboard.press('l');
		await onScreen(page, undefined, second);
		await page.keyboard.press('Backspace');
		await onScreen(page, undefined, first);
		await page.keyboard.press('g');
		await onScreen(page, undefined, second);
		await mock.start();
		const giraffes = () => mock.standing().filter((given) => given.body.taxa[0].taxon === 17);
		await sent(page, { standing: giraffes }, 1); // after the lion, and after the lion is taken back
		assert.equal(String(giraffes()[0].subject), first);
		await assertOnce(mock, 1);
	});

	it('holds an account’s unsent answers until that account is back', async () => {
		await open();
		mock.addUser('amina', 'a long password');
		await label();
		await logIn(page, 'amina', 'a long password');
		await onScreen(page);
		mock.hooks['before classifications'] = () => 'cut';
		await page.keyboard.press('z');
		await page.waitForSelector('#sending:has-text("1 answer waits")');
		await page.click('#account >> text=Log out');
		await page.waitForSelector('#sending:has-text("1 of another account")');
		mock.hooks = {};
		await page.waitForTimeout(1500);
		assert.equal(mock.answers.length, 0);
		await logIn(page, 'amina', 'a long password');
		await sent(page, mock, 1);
		assert.equal(mock.answers[0].volunteer, 1);
	});

	it('says what is wrong where there is no project, none of that name, or no server', async () => {
		mock.projects = false;
		await open();
		await page.goto(mock.url);
		await page.waitForSelector('text=There is no project yet');
		await page.goto(`${mock.url}#/p/nowhere`);
		await page.waitForSelector('text=No such project');
		mock.hooks['before projects'] = () => 'cut';
		await page.goto(`${mock.url}#/`);
		await page.waitForSelector('text=The projects could not be loaded: the server cannot be reached.');
		mock.hooks = {};
		mock.projects = true;
		await page.click('text=Try again');
		await page.waitForSelector('.card');
	});

	for (const [width, height, share] of [[1280, 800, 0.35], [820, 1180, 0.3], [360, 740, 0.3], [844, 390, 0.18], [667, 375, 0.2]])
		it(`gives the picture its room and keeps what is needed in reach at ${width} x ${height}`, async () => {
			await open({ viewport: { width, height }, hasTouch: width < 900 });
			await label();
			await onScreen(page);
			const seen = await page.evaluate(() => {
				const box = (/** @type {string} */ what) => document.querySelector(what).getBoundingClientRect();
				const isInside = (/** @type {string} */ what) => {
					const { top, left, bottom, right, width: w } = box(what);
					return w > 0 && top >= 0 && left >= 0 && bottom <= innerHeight && right <= innerWidth;
				};
				const out = ['.stage', '.control[aria-pressed]', '.taxa .choice', '.always .choice', '.always .choice + .choice', '.undo']
					.filter((what) => !isInside(what));
				const stage = box('.stage');
				const { naturalWidth: w, naturalHeight: h } = document.querySelector('.picture img');
				const scale = Math.min(stage.width / w, stage.height / h);
				return { out, share: scale * w * scale * h / (innerWidth * innerHeight), width: document.documentElement.scrollWidth };
			});
			assert.deepEqual(seen.out, []);
			assert.ok(seen.share >= share, `the picture has ${seen.share} of the window`);
			assert.equal(seen.width, width);
		});

	it('flips by a swipe, and not when two fingers zoom', async () => {
		await open({ viewport: { width: 360, height: 740 }, hasTouch: true });
		await label();
		await onScreen(page);
		/** Fingers go down one by one at from_px, move, and leave at to_px. */
		const touch = (...fingers) => page.evaluate((all) => {
			const stage = document.querySelector('.stage');
			const at = (i, px) => new Touch({ identifier: i, target: stage, clientX: px, clientY: 200 });
			const send = (type, touches, changed) =>
				stage.dispatchEvent(new TouchEvent(type, { touches, changedTouches: changed, bubbles: true }));
			all.forEach(([from_px], i) => send('touchstart', all.slice(0, i + 1).map(([px], k) => at(k, px)), [at(i, from_px)]));
			all.forEach(([, to_px], i) => send('touchend', all.slice(i + 1).map(([, px], k) => at(i + 1 + k, px)), [at(i, to_px)]));
		}, fingers);
		const counter = () => page.textContent('.counter');
		assert.match(await counter(), /^1 /);
		await touch([300, 100]);
		assert.match(await counter(), /^2 /);
		await touch([100, 300]);
		assert.match(await counter(), /^1 /);
		await touch([150, 40], [160, 165]);
		assert.match(await counter(), /^1 /, 'a pinch is no swipe');
		await touch([300, 100]);
		assert.match(await counter(), /^2 /);
	});

	it('asks anew for subjects whose lease ended while they waited', async () => {
		mock.lease_ms = 2_000;
		await open();
		await label();
		const first = await onScreen(page);
		await page.waitForTimeout(3_500);
		mock.lease_ms = 600_000;
		await page.keyboard.press('z');
		const second = await onScreen(page, first);
		const [[, expires]] = [...mock.leases].filter(([key]) => key.endsWith(`/${second}`));
		assert.ok(expires > Date.now(), 'the subject on screen is leased');
		await sent(page, mock, 1);
	});

	it('goes on as somebody new when the server has forgotten who this was', async () => {
		await open();
		await label();
		await onScreen(page);
		mock.sessions.clear();
		await page.keyboard.press('z');
		// Its subject was given to the one forgotten: counted if the new one is given it first, else refused and shown.
		const n_refused = await Promise.race([sent(page, mock, 1).then(() => 0),
			page.waitForSelector('#sending:has-text("1 not accepted")').then(() => 1)]);
		const first = await onScreen(page);
		await page.keyboard.press('t');
		await onScreen(page, first);
		await sent(page, mock, 2 - n_refused);
	});

	it('is dark where the person wants dark, and still readable', async () => {
		await open({ colorScheme: 'dark', reducedMotion: 'reduce' });
		await label();
		await onScreen(page);
		const ratio = await page.evaluate(() => {
			const light = (/** @type {string} */ rgb) => {
				const [r, g, b] = (rgb.match(/[\d.]+/g) ?? []).map((v) => {
					const c = Number(v) / 255;
					return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
				});
				return 0.2126 * r + 0.7152 * g + 0.0722 * b;
			};
			const style = getComputedStyle(document.querySelector('.choice'));
			return (light(style.color) + 0.05) / (light(style.backgroundColor) + 0.05);
		});
		assert.ok(ratio > 7, `contrast ${ratio}`);
	});
});
