// Seeing better: closer, in another light, side by side, at another speed, over the whole screen.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { PHONE, onScreen, press, sent, visits } from './support.mjs';

describe('seeing', { timeout: 240_000 }, () => {
	const { visit, serve } = visits();
	let mock, page;

	async function open(options, what, prepare = async () => null) {
		mock = await serve(what);
		page = await visit(options);
		await prepare();
		await page.goto(`${mock.url}#/p/mara`);
		return onScreen(page);
	}
	/** The picture's box with its zoom, and the stage's. */
	const boxes = () => page.evaluate(() => ['.picture', '.stage'].map((what) => document.querySelector(what).getBoundingClientRect().toJSON()));
	const scale = async () => {
		const [picture, stage] = await boxes();
		return picture.width / stage.width;
	};
	/** What of the picture lies under a point of the window, 0..1. */
	const under = async ({ x, y }) => {
		const [picture] = await boxes();
		return { x: (x - picture.x) / picture.width, y: (y - picture.y) / picture.height, picture };
	};
	const assertStays = (was, is) => {
		const off_px = Math.hypot((is.x - was.x) * is.picture.width, (is.y - was.y) * is.picture.height);
		assert.ok(off_px <= 2, `the point moved ${off_px} px`);
	};
	/** Mean luma of what is on the stage, as the screen shows it. */
	const meanLuma = async () => {
		const png = (await page.locator('.stage').screenshot()).toString('base64');
		return page.evaluate(async (base64) => {
			const bitmap = await createImageBitmap(new Blob([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))]));
			const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
			const drawing = canvas.getContext('2d');
			drawing.drawImage(bitmap, 0, 0);
			const { data } = drawing.getImageData(0, 0, bitmap.width, bitmap.height);
			let sum = 0;
			for (let i = 0; i < data.length; i += 4)
				sum += (data[i] + data[i + 1] + data[i + 2]) / 3;
			return sum / (data.length / 4);
		}, png);
	};

	it('zooms by the wheel about the cursor, pans by the mouse, and starts anew with the next subject', async () => {
		const first = await open();
		const [, stage] = await boxes();
		for (const [fx, fy] of [[0.3, 0.4], [0.8, 0.2], [0.55, 0.9]]) {
			await press(page, '*');
			const at = { x: stage.x + fx * stage.width, y: stage.y + fy * stage.height };
			await page.mouse.move(at.x, at.y);
			for (let i = 0; i < 3; i++) {
				const was = await under(at);
				await page.mouse.wheel(0, -200);
				await page.waitForFunction((width) => document.querySelector('.picture').getBoundingClientRect().width > width + 1, was.picture.width);
				assertStays(was, await under(at));
			}
		}
		const [was] = await boxes();
		await page.mouse.down();
		await page.mouse.move(stage.x + 0.5 * stage.width, stage.y + 0.85 * stage.height, { steps: 3 });
		await page.mouse.up();
		const [moved] = await boxes();
		assert.ok(Math.abs(moved.x - was.x + 0.05 * stage.width) < 4 && moved.width === was.width, 'the picture follows the mouse');
		await press(page, 'ArrowRight');
		assert.ok(await scale() > 2, 'the next picture of the burst is as close');
		await press(page, 'z');
		await onScreen(page, first);
		assert.equal(await scale(), 1);
	});

	it('zooms and pans by keys, and every letter is an answer still', async () => {
		const first = await open();
		await press(page, 'PageUp', 'PageUp');
		assert.ok(Math.abs(await scale() - 2.25) < 0.01);
		const [was] = await boxes();
		await press(page, 'Shift+ArrowLeft');
		assert.ok((await boxes())[0].x > was.x + 20);
		assert.equal(await page.textContent('.counter'), '1 / 3', 'a shifted arrow flips nothing');
		await press(page, 'PageDown', 'PageDown');
		assert.equal(await scale(), 1);
		await page.mouse.dblclick(400, 400);
		assert.equal(await scale(), 2.5);
		await press(page, '*');
		assert.equal(await scale(), 1);
		await press(page, '<', '>', ',', ',', ';', ';', ':', ':', '%', '%', '*');
		assert.equal(mock.answers.length, 0, 'a key of the picture is no answer');
		await press(page, 't');
		await onScreen(page, first);
		await sent(page, mock, 1);
	});

	it('zooms by two fingers and by a double tap, and flips by one', async () => {
		const first = await open(PHONE);
		const cdp = await page.context().newCDPSession(page);
		const touch = (type, ...points) => cdp.send('Input.dispatchTouchEvent', { type, touchPoints: points.map(([x, y], id) => ({ x, y, id })) });
		const [, stage] = await boxes();
		const middle = { x: 180, y: stage.y + stage.height / 2 };
		const was = await under(middle);
		await touch('touchStart', [160, middle.y], [200, middle.y]);
		for (let gap = 20; gap <= 60; gap += 10)
			await touch('touchMove', [180 - gap, middle.y], [180 + gap, middle.y]);
		await touch('touchEnd');
		assert.ok(Math.abs(await scale() - 3) < 0.1, `${await scale()}`);
		assertStays(was, await under(middle));
		assert.equal(await page.evaluate(() => visualViewport.scale), 1, 'the page itself is not zoomed');
		const [before_px] = await boxes();
		await touch('touchStart', [180, middle.y]);
		await touch('touchMove', [160, middle.y + 5]);
		await touch('touchMove', [130, middle.y + 10]);
		await touch('touchEnd');
		const [after_px] = await boxes();
		assert.ok(Math.abs(after_px.x - before_px.x + 50) < 3, 'one finger moves what is zoomed');
		assert.match(await page.textContent('.counter'), /^1 /);
		for (let i = 0; i < 2; i++) {
			await touch('touchStart', [180, middle.y]);
			await touch('touchEnd');
		}
		await page.waitForFunction(() => document.querySelector('.picture').style.transform === '');
		await touch('touchStart', [250, middle.y]);
		await touch('touchMove', [180, middle.y]);
		await touch('touchMove', [120, middle.y]);
		await touch('touchEnd');
		assert.match(await page.textContent('.counter'), /^2 /, 'one finger flips what is not');
		await page.tap('.choice:has-text("Topi")'); // the tap after a swipe is not lost
		await onScreen(page, first);
		assert.equal(await scale(), 1);
		await sent(page, mock, 1);
	});

	it('changes the light by keys and by touch, keeps it, and takes it back by one key', async () => {
		await open({ hasTouch: true });
		const plain = await meanLuma();
		await press(page, ':');
		await press(page, 'ArrowRight', 'ArrowRight', 'ArrowRight', 'ArrowRight', 'ArrowRight', 'ArrowRight');
		const bright = await meanLuma();
		assert.ok(bright > plain + 10, `${plain} became ${bright}`);
		await press(page, 'Escape', '*');
		assert.ok(Math.abs(await meanLuma() - plain) < 1);
		await press(page, ':');
		const gamma = await page.locator('.adjust input[type=range]').nth(2).boundingBox();
		await page.touchscreen.tap(gamma.x + 0.9 * gamma.width, gamma.y + gamma.height / 2);
		const lifted = await meanLuma();
		assert.ok(lifted > plain + 10, `${plain} became ${lifted}`);
		await page.tap('.adjust .switch input');
		await press(page, 'Escape');
		const inverted = await meanLuma();
		assert.ok(Math.abs(inverted - lifted) > 5);
		await page.reload();
		await onScreen(page);
		assert.ok(Math.abs(await meanLuma() - inverted) < 3, 'kept for the session');
		assert.ok(await page.locator('.tool[data-tool=light].changed').count() === 1, 'and the button tells it');
		await press(page, '*');
		assert.ok(Math.abs(await meanLuma() - plain) < 3);
		assert.equal(mock.answers.length, 0);
	});

	it('plays slower and faster, and shows the burst side by side', async () => {
		await open({}, {}, () => page.clock.install());
		const counter = () => page.textContent('.counter');
		await page.waitForFunction(() => document.querySelectorAll('.thumb img').length === 3);
		for (let i = 0; i < 3; i++)
			await press(page, 'ArrowRight'); // all are decoded then
		await page.waitForFunction(() => document.querySelector('.stage .wait').hidden);
		await page.clock.pauseAt(Date.now() + 60_000);
		await press(page, '.');
		await page.clock.runFor(460);
		assert.equal(await counter(), '2 / 3');
		await press(page, '<', '<'); // a quarter
		assert.equal(await page.textContent('.speed'), '0.25×');
		await page.clock.runFor(1_700);
		assert.equal(await counter(), '2 / 3');
		await page.clock.runFor(200);
		assert.equal(await counter(), '3 / 3');
		await press(page, '>', '>', '>', '>', '>');
		assert.equal(await page.textContent('.speed'), '4×');
		await page.clock.runFor(240);
		assert.equal(await counter(), '2 / 3');
		await press(page, '.', ',');
		assert.equal(await page.locator('.sheet .cell').count(), 3);
		assert.equal(await page.locator('.sheet .cell[aria-current]').getAttribute('aria-label'), 'Picture 2 of 3');
		await page.click('.sheet .cell:nth-child(3)');
		assert.ok(await page.isHidden('.sheet'));
		assert.equal(await counter(), '3 / 3');
		await press(page, ',', 'Escape');
		assert.ok(await page.isHidden('.sheet'));
		await press(page, ',', 'z');
		await page.waitForFunction(() => document.querySelector('.sheet').hidden);
	});

	for (const has of [true, false])
		it(`fills the screen ${has ? 'with' : 'without'} the browser’s help, and takes answers there`, async () => {
			const first = await open({}, { survey: { count: true } }, () => has ? null : page.addInitScript(() => {
				delete Element.prototype.requestFullscreen;
			}));
			await press(page, '%');
			await page.waitForFunction((isFull) => Boolean(document.fullscreenElement) === isFull, has);
			const [, stage] = await boxes();
			const window_px = await page.evaluate(() => innerWidth * innerHeight);
			assert.ok(stage.width * stage.height > 0.9 * window_px, 'the picture has the screen');
			await press(page, 'z');
			assert.ok(await page.isVisible('.draft >> text=How many?'), 'what is asked is seen');
			await press(page, 'Enter');
			await onScreen(page, first);
			await press(page, 'Escape');
			if (has)
				await page.evaluate(() => document.exitFullscreen().catch(() => null)); // the browser's own Escape
			await page.waitForFunction(() => !document.body.classList.contains('full'));
			assert.ok(await page.isVisible('.taxa'));
		});
});
