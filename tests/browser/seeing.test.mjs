// Seeing better: closer, in another light, side by side, at another speed, over the whole screen, and what moved in a burst.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { Mock } from './mock.mjs';
import { launch, onScreen, sent } from './support.mjs';

describe('seeing', { timeout: 240_000 }, () => {
	let browser, mock, context, page, faults;

	before(async () => {
		browser = await launch();
	});
	after(() => browser.close());
	afterEach(async () => {
		await context.close();
		await mock.stop();
		assert.deepEqual(faults, []);
	});

	async function open(options = {}, what = {}, prepare = async () => null) {
		faults = [];
		mock = new Mock(what);
		await mock.start();
		context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
		page = await context.newPage();
		page.on('pageerror', (error) => faults.push(String(error)));
		page.on('console', (message) => /Content Security Policy/.test(message.text()) && faults.push(message.text()));
		await prepare();
		await page.goto(`${mock.url}#/p/mara`);
		return onScreen(page);
	}
	const press = async (...keys) => {
		for (const key of keys)
			await page.keyboard.press(key);
	};
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
			await press('*');
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
		await press('ArrowRight');
		assert.ok(await scale() > 2, 'the next picture of the burst is as close');
		await press('z');
		await onScreen(page, first);
		assert.equal(await scale(), 1);
	});

	it('zooms and pans by keys, and every letter is an answer still', async () => {
		const first = await open();
		await press('PageUp', 'PageUp');
		assert.ok(Math.abs(await scale() - 2.25) < 0.01);
		const [was] = await boxes();
		await press('Shift+ArrowLeft');
		assert.ok((await boxes())[0].x > was.x + 20);
		assert.equal(await page.textContent('.counter'), '1 / 3', 'a shifted arrow flips nothing');
		await press('PageDown', 'PageDown');
		assert.equal(await scale(), 1);
		await page.mouse.dblclick(400, 400);
		assert.equal(await scale(), 2.5);
		await press('*');
		assert.equal(await scale(), 1);
		await press('<', '>', ',', ',', ';', ';', ':', ':', '%', '%', '*');
		assert.equal(mock.answers.length, 0, 'a key of the picture is no answer');
		await press('t');
		await onScreen(page, first);
		await sent(page, mock, 1);
	});

	it('zooms by two fingers and by a double tap, and flips by one', async () => {
		const first = await open({ viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true });
		const cdp = await context.newCDPSession(page);
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
		await press('t');
		await onScreen(page, first);
		assert.equal(await scale(), 1);
	});

	it('changes the light by keys and by touch, keeps it, and takes it back by one key', async () => {
		await open({ hasTouch: true });
		const plain = await meanLuma();
		await press(':');
		await press('ArrowRight', 'ArrowRight', 'ArrowRight', 'ArrowRight', 'ArrowRight', 'ArrowRight');
		const bright = await meanLuma();
		assert.ok(bright > plain + 10, `${plain} became ${bright}`);
		await press('Escape', '*');
		assert.ok(Math.abs(await meanLuma() - plain) < 1);
		await press(':');
		const gamma = await page.locator('.adjust input[type=range]').nth(2).boundingBox();
		await page.touchscreen.tap(gamma.x + 0.9 * gamma.width, gamma.y + gamma.height / 2);
		const lifted = await meanLuma();
		assert.ok(lifted > plain + 10, `${plain} became ${lifted}`);
		await page.tap('.adjust .switch input');
		await press('Escape');
		const inverted = await meanLuma();
		assert.ok(Math.abs(inverted - lifted) > 5);
		await page.reload();
		await onScreen(page);
		assert.ok(Math.abs(await meanLuma() - inverted) < 3, 'kept for the session');
		assert.ok(await page.locator('.tool[data-tool=light].changed').count() === 1, 'and the button tells it');
		await press('*');
		assert.ok(Math.abs(await meanLuma() - plain) < 3);
		assert.equal(mock.answers.length, 0);
	});

	it('plays slower and faster, and shows the burst side by side', async () => {
		await open({}, {}, () => page.clock.install());
		const counter = () => page.textContent('.counter');
		await page.waitForFunction(() => document.querySelectorAll('.thumb img').length === 3);
		for (let i = 0; i < 3; i++)
			await press('ArrowRight'); // all are decoded then
		await page.waitForFunction(() => document.querySelector('.stage .wait').hidden);
		await page.clock.pauseAt(Date.now() + 60_000);
		await press('.');
		await page.clock.runFor(460);
		assert.equal(await counter(), '2 / 3');
		await press('<', '<'); // a quarter
		assert.equal(await page.textContent('.speed'), '0.25×');
		await page.clock.runFor(1_700);
		assert.equal(await counter(), '2 / 3');
		await page.clock.runFor(200);
		assert.equal(await counter(), '3 / 3');
		await press('>', '>', '>', '>', '>');
		assert.equal(await page.textContent('.speed'), '4×');
		await page.clock.runFor(240);
		assert.equal(await counter(), '2 / 3');
		await press('.', ',');
		assert.equal(await page.locator('.sheet .cell').count(), 3);
		assert.equal(await page.locator('.sheet .cell[aria-current]').getAttribute('aria-label'), 'Picture 2 of 3');
		await page.click('.sheet .cell:nth-child(3)');
		assert.ok(await page.isHidden('.sheet'));
		assert.equal(await counter(), '3 / 3');
		await press(',', 'Escape');
		assert.ok(await page.isHidden('.sheet'));
		await press(',', 'z');
		await page.waitForFunction(() => document.querySelector('.sheet').hidden);
	});

	for (const has of [true, false])
		it(`fills the screen ${has ? 'with' : 'without'} the browser’s help, and takes answers there`, async () => {
			const first = await open({}, { survey: { count: true } }, () => has ? null : page.addInitScript(() => {
				delete Element.prototype.requestFullscreen;
			}));
			await press('%');
			await page.waitForFunction((isFull) => Boolean(document.fullscreenElement) === isFull, has);
			const [, stage] = await boxes();
			const window_px = await page.evaluate(() => innerWidth * innerHeight);
			assert.ok(stage.width * stage.height > 0.9 * window_px, 'the picture has the screen');
			await press('z');
			assert.ok(await page.isVisible('.draft >> text=How many?'), 'what is asked is seen');
			await press('Enter');
			await onScreen(page, first);
			await press('Escape');
			if (has)
				await page.evaluate(() => document.exitFullscreen().catch(() => null)); // the browser's own Escape
			await page.waitForFunction(() => !document.body.classList.contains('full'));
			assert.ok(await page.isVisible('.taxa'));
		});

	/** Bursts of a noisy scene, each picture of another brightness, in which something is 7 % darker than what is behind it. */
	const hidden = async () => {
		const jpegs = await page.evaluate(async () => {
			const files = [];
			for (let k = 0; k < 4; k++) {
				const canvas = new OffscreenCanvas(1280, 960);
				const drawing = canvas.getContext('2d');
				const image = drawing.createImageData(1280, 960);
				const gain = [1, 1.08, 0.92, 1.04][k];
				let seed = 12345 + k;
				for (let y = 0; y < 960; y++)
					for (let x = 0; x < 1280; x++) {
						seed = (seed * 1103515245 + 12345) & 0x7fffffff;
						const texture = 90 + 40 * Math.sin(x / 23) * Math.sin(y / 17) + 25 * Math.sin((x + 2 * y) / 91);
						const isAnimal = Math.abs(x - 200 - 280 * k) < 90 && Math.abs(y - 600) < 60;
						const value = gain * texture * (isAnimal ? 0.86 : 1) + (seed >> 16) % 9 - 4;
						image.data.set([value, value, value, 255], 4 * (y * 1280 + x));
					}
				drawing.putImageData(image, 0, 0);
				const bytes = new Uint8Array(await (await canvas.convertToBlob({ type: 'image/jpeg', quality: 0.85 })).arrayBuffer());
				files.push(btoa([...bytes].map((byte) => String.fromCharCode(byte)).join('')));
			}
			return files;
		});
		const files = jpegs.map((base64) => Buffer.from(base64, 'base64'));
		mock.picture = async (id) => files[(id - 1000) % 10 % files.length];
	};

	it('shows what moved in a burst, and offers that for no single picture', async () => {
		await open({}, { n_subjects: 2, n_frames: 4 }, hidden);
		await page.evaluate(() => {
			globalThis.blocked_ms = [];
			new PerformanceObserver((seen) => globalThis.blocked_ms.push(...seen.getEntries().map((entry) => entry.duration)))
				.observe({ entryTypes: ['longtask'] });
		});
		await press(';');
		await page.waitForSelector('.picture canvas.difference:not([hidden])');
		const blocked_ms = await page.evaluate(() => globalThis.blocked_ms);
		const result = await page.evaluate(async () => {
			const { lumaOf, medianOf, differenceOf } = await import('/static/difference.js');
			const pictures = [];
			for (let k = 0; k < 4; k++) {
				const bitmap = await createImageBitmap(await (await fetch(`/media/${1000 + k}/1280.jpg`)).blob());
				const drawing = new OffscreenCanvas(640, 480).getContext('2d', { willReadFrequently: true });
				drawing.drawImage(bitmap, 0, 0, 640, 480);
				pictures.push(lumaOf(new Uint8Array(drawing.getImageData(0, 0, 640, 480).data.buffer)));
			}
			const scene = await medianOf(pictures);
			const medians = [];
			const took_ms = [];
			for (let k = 0; k < 4; k++) {
				const start = performance.now();
				const difference = await differenceOf(pictures[k], scene, 640);
				took_ms.push(performance.now() - start);
				const inside = [], outside = [];
				for (let y = 0; y < 480; y++)
					for (let x = 0; x < 640; x++) {
						const dx = Math.abs(2 * x - 200 - 280 * k), dy = Math.abs(2 * y - 600);
						if (dx < 84 && dy < 54)
							inside.push(difference[640 * y + x]);
						else if (dx > 96 || dy > 66)
							outside.push(difference[640 * y + x]);
					}
				medians.push([inside, outside].map((values) => values.sort((a, b) => a - b)[values.length >> 1]));
			}
			return { medians, took_ms };
		});
		console.log(`# difference of a frame at 640 x 480: ${result.took_ms.map((ms) => ms.toFixed(1)).join(', ')} ms; ` +
			`the page stood still longer than 50 ms: ${blocked_ms.length} times (${blocked_ms.join(', ')}); ` +
			`median inside and outside of what moved: ${result.medians.map((pair) => pair.join(' : ')).join(', ')}`);
		for (const [inside, outside] of result.medians)
			assert.ok(inside > 30 && outside < 10, `${inside} inside, ${outside} outside`);
		const drawn = () => page.$eval('canvas.difference', (canvas) => canvas.toDataURL().length + canvas.toDataURL().slice(-400));
		const one = await drawn();
		await press('ArrowRight');
		await page.waitForFunction((before) => {
			const canvas = document.querySelector('.picture canvas.difference');
			return canvas && canvas.toDataURL().length + canvas.toDataURL().slice(-400) !== before;
		}, one);
		await press('*');
		assert.ok(await page.isHidden('canvas.difference') || await page.locator('.picture canvas').count() === 0);
		const shown = await page.getAttribute('.work', 'data-subject');
		await press('z');
		await onScreen(page, shown);
		assert.ok(await page.isHidden('.tool[data-tool=difference]'), 'one picture differs from nothing');
		await press(';');
		assert.equal(await page.locator('.picture canvas:not([hidden])').count(), 0);
	});

	it('has the next picture on screen soon after an answer, with pictures of real size', async () => {
		await open({}, { n_subjects: 24, n_frames: 3 }, hidden);
		await page.evaluate(() => {
			globalThis.took_ms = [];
			let start = 0;
			addEventListener('keydown', (event) => {
				start = event.timeStamp;
			}, true);
			new MutationObserver(() => {
				if (document.querySelector('.picture img') && start) {
					const begun = start;
					start = 0;
					requestAnimationFrame(() => setTimeout(() => globalThis.took_ms.push(performance.now() - begun)));
				}
			}).observe(document.querySelector('.picture'), { childList: true });
		});
		let shown = await page.getAttribute('.work', 'data-subject');
		for (let i = 0; i < 20; i++) {
			await page.waitForTimeout(500); // nobody answers faster than that
			await press('z');
			shown = await onScreen(page, shown);
		}
		await page.waitForFunction(() => globalThis.took_ms.length >= 20);
		const sorted = (await page.evaluate(() => globalThis.took_ms)).sort((a, b) => a - b);
		console.log(`# from the key to the next picture on screen, 20 answers, 1280 px JPEG: median ${sorted[10].toFixed(0)} ms, ` +
			`p95 ${sorted[18].toFixed(0)} ms, worst ${sorted[19].toFixed(0)} ms`);
		await sent(page, mock, 20);
	});
});
