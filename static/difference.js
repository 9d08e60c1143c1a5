/**
 * What differs in one picture of a burst from what all of them have: the median of every pixel over the burst is the scene
 * without its animals. Each picture is first brought to the brightness of the median, the difference is smoothed against the
 * sensor's noise and amplified. Of two pictures, the other one takes the median's place.
 *
 * Shapes: a picture is a Uint8Array [height * width] of luma 0..255.
 */
import { el, sleep } from './dom.js';

const WIDTH_MOST_PX = 640;
const AMPLIFY = 5;
/** So long in one piece at most; a frame of the screen is 16. */
const PIECE_MS = 12;

/** @param {Uint8Array} rgba @returns {Uint8Array} */
export function lumaOf(rgba) {
	const luma = new Uint8Array(rgba.length / 4);
	for (let i = 0, k = 0; i < luma.length; i++, k += 4)
		luma[i] = (77 * rgba[k] + 150 * rgba[k + 1] + 29 * rgba[k + 2]) >> 8;
	return luma;
}

/** The median of every pixel from `from` on, for as long as a piece may last. @param {Uint8Array[]} pictures @param {Uint8Array} out @param {number} from @returns {number} where it stopped */
function medianPiece(pictures, out, from) {
	const end_ms = performance.now() + PIECE_MS;
	const n = pictures.length;
	const sorted = new Uint8Array(n);
	for (let i = from; i < out.length; i++) {
		if (i % 4096 === 0 && i > from && performance.now() > end_ms)
			return i;
		for (let k = 0; k < n; k++) {
			const value = pictures[k][i];
			let at = k;
			for (; at > 0 && sorted[at - 1] > value; at--)
				sorted[at] = sorted[at - 1];
			sorted[at] = value;
		}
		out[i] = n % 2 ? sorted[n >> 1] : (sorted[n / 2 - 1] + sorted[n / 2]) >> 1;
	}
	return out.length;
}

/** @param {Uint8Array[]} pictures three or more @returns {Promise<Uint8Array>} */
export async function medianOf(pictures) {
	const out = new Uint8Array(pictures[0].length);
	for (let at = 0; (at = medianPiece(pictures, out, at)) < out.length;)
		await sleep(0);
	return out;
}

/**
 * How far a picture is from the scene, 0..255, amplified; in pieces, so that a key never waits long.
 * @param {Uint8Array} picture @param {Uint8Array} scene @param {number} width
 */
export async function differenceOf(picture, scene, width) {
	let sum = 1, sum_scene = 1;
	for (let i = 0; i < picture.length; i++) {
		sum += picture[i];
		sum_scene += scene[i];
	}
	const gain = sum_scene / sum;
	const signed = new Float32Array(picture.length);
	for (let i = 0; i < picture.length; i++)
		signed[i] = gain * picture[i] - scene[i];
	await sleep(0);
	const along = blurred(signed, 1, width);
	await sleep(0);
	const smooth = blurred(along, width, width);
	await sleep(0);
	const out = new Uint8ClampedArray(picture.length);
	for (let i = 0; i < out.length; i++)
		out[i] = AMPLIFY * Math.abs(smooth[i]);
	return out;
}

/** The mean of three pixels in a row or a column; the margin stays as it is. @param {Float32Array} values @param {number} step 1: along rows @param {number} width */
function blurred(values, step, width) {
	const out = values.slice();
	const margin = step === 1 ? 1 : width;
	for (let i = margin; i < values.length - margin; i++)
		out[i] = (values[i - step] + values[i] + values[i + step]) / 3;
	return out;
}

export class Difference {
	/** @type {import('./item.js').Item|null} */
	#item = null;
	/** @type {Promise<{pictures: Uint8Array[], scenes: Uint8Array[], width: number, height: number}>|null} */
	#burst = null;
	element = el('canvas', { class: 'difference', hidden: true });

	/** Draws the difference of picture i of a burst. Resolves to false where something else was asked for meanwhile. @param {import('./item.js').Item} item @param {number} i */
	async draw(item, i) {
		if (this.#item !== item) {
			this.#item = item;
			this.#burst = this.#read(item);
			this.#burst.catch(() => this.#item === item && this.clear());
		}
		const burst = await this.#burst;
		if (this.#item !== item || !burst)
			return false;
		const { pictures, scenes, width, height } = burst;
		const difference = await differenceOf(pictures[i], scenes[i], width);
		await sleep(0);
		if (this.#item !== item)
			return false;
		const image = new ImageData(width, height);
		for (let k = 0, at = 0; k < difference.length; k++, at += 4) {
			const faint = pictures[i][k] >> 2; // so that one sees where in the scene it is
			image.data[at] = Math.max(faint, difference[k]);
			image.data[at + 1] = Math.max(faint, 0.85 * difference[k]);
			image.data[at + 2] = Math.max(faint, 0.3 * difference[k]);
			image.data[at + 3] = 255;
		}
		Object.assign(this.element, { width, height });
		this.element.getContext('2d')?.putImageData(image, 0, 0);
		return true;
	}

	/** Another subject: what was read of the last one goes. */
	clear() {
		this.#item = null;
		this.#burst = null;
		this.element.hidden = true;
	}

	/** @param {import('./item.js').Item} item */
	async #read(item) {
		const first = await item.picture(0);
		const width = Math.min(WIDTH_MOST_PX, first.naturalWidth);
		const height = Math.round(width * first.naturalHeight / first.naturalWidth);
		const context = /** @type {CanvasRenderingContext2D} */ (el('canvas', { width, height }).getContext('2d', { willReadFrequently: true }));
		const pictures = [];
		for (let i = 0; i < item.task.frames.length; i++) {
			const image = await item.picture(i);
			const small = await createImageBitmap(image, { resizeWidth: width, resizeHeight: height, resizeQuality: 'medium' })
				.catch(() => null); // a browser that cannot: in one piece then
			context.drawImage(small ?? image, 0, 0, width, height);
			small?.close();
			await sleep(0);
			pictures.push(lumaOf(new Uint8Array(context.getImageData(0, 0, width, height).data.buffer)));
			await sleep(0);
		}
		if (pictures.length < 3)
			return { pictures, scenes: [...pictures].reverse(), width, height };
		const median = await medianOf(pictures);
		return { pictures, scenes: pictures.map(() => median), width, height };
	}
}
