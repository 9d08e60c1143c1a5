/** The picture over the whole screen. A browser that gives no page the screen (a telephone's) gives it the window. */

/** @param {() => void} onChange @param {AbortSignal} signal */
export function watchFull(onChange, signal) {
	document.addEventListener('fullscreenchange', () => {
		if (!document.fullscreenElement)
			document.body.classList.remove('full');
		onChange();
	}, { signal });
}

export const isFull = () => document.body.classList.contains('full');

/** @param {boolean} on */
export async function setFull(on) {
	document.body.classList.toggle('full', on);
	try {
		if (on)
			await document.documentElement.requestFullscreen?.();
		else if (document.fullscreenElement)
			await document.exitFullscreen();
	} catch {
		// Not allowed here: the window is filled all the same.
	}
}
