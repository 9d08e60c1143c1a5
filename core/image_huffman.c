/*
 * Huffman decoding of ordinary JPEG (baseline, one scan, the whole file in memory) in place of libjpeg's, which takes four
 * fifths of the time that a photograph takes: one look into a table gives a coefficient's run, its value and how many bits
 * both took, where libjpeg's gives the code's length and asks for the rest.
 *
 * libjpeg calls what decodes an MCU through a pointer, which is what is replaced; the blocks that come are its own, and so
 * is everything after them. Nothing odd is dealt with here: bits that run out, a code that is none, a marker that is not
 * where it should be. The decoding is then ended (image_huffman_is_odd) and begun again without this file, so that what
 * becomes of damage is libjpeg's matter alone (ITU-T T.81, annex F.2.2).
 */
#include "image_part.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

enum {
	LOOK = 10, /* bits of a look */
	END = 128  /* the run of an end of block: beyond any position */
};

/* libjpeg-turbo's jpegint.h: what jpeg_decompress_struct.entropy points to begins so. */
struct jpeg_entropy_decoder {
	void (*start_pass)(j_decompress_ptr jpeg);
	boolean (*decode_mcu)(j_decompress_ptr jpeg, JBLOCKROW *blocks);
};

struct table {
	uint32_t
		looks[1 << LOOK]; /* value << 16 | run << 8 | bits of both; 0: the look was too short */
	int32_t
		past[18]; /* by length: the first code, at 16 bits, that is longer; [17] ends a search */
	int32_t index[17]; /* by length: to be added to a code for its place in symbols */
	uint8_t symbols[256];
	bool is_made;
};

struct reader {
	const uint8_t *at, *end;
	uint64_t bits; /* the next ones are the highest */
	int n_bits;    /* of them; those below are zeros or as the file has them */
	int n_made_up; /* that stand for what is behind the data */
};

struct image_huffman {
	struct table dc[NUM_HUFF_TBLS], ac[NUM_HUFF_TBLS];
	struct reader reader;
	int last_dc[MAX_COMPS_IN_SCAN];
	unsigned n_to_restart, restart;
	bool is_odd;
};

static const uint8_t natural[64] = {0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19,
	26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22,
	15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63};

/* T.81, F.12: n_bits bits as a value. */
static int extend(unsigned bits, int n_bits)
{
	return n_bits == 0 || bits >> (n_bits - 1) ? (int)bits : (int)bits - (1 << n_bits) + 1;
}

static uint32_t pack(int value, int run, int n_bits)
{
	return (uint32_t)(uint16_t)value << 16 | (uint32_t)run << 8 | (uint32_t)n_bits;
}

/* Every look that begins with a code of `length` bits for `symbol`, where its value fits in as well. */
static void add_looks(struct table *t, bool is_dc, int code, int length, int symbol)
{
	int size = symbol & 15, run = symbol >> 4, spare = LOOK - length - size;
	if (!is_dc && size == 0 && run < 15)
		run = END;
	for (int i = 0; spare >= 0 && i < 1 << (LOOK - length); i++)
		t->looks[code << (LOOK - length) | i] = pack(
			extend((unsigned)(i >> spare), size), run, length + size);
}

/* False: such a table is left to libjpeg. T.81, C.2. */
static bool make_table(const JHUFF_TBL *from, bool is_dc, struct table *t)
{
	int code = 0, n = 0;
	if (!from)
		return false;
	for (int length = 1; length <= 16; length++, code <<= 1) {
		t->index[length] = n - code;
		for (int i = 0; i < from->bits[length]; i++, code++, n++) {
			if (n > 255 || code >= 1 << length || (is_dc && from->huffval[n] > 15))
				return false;
			t->symbols[n] = from->huffval[n];
			if (length <= LOOK)
				add_looks(t, is_dc, code, length, t->symbols[n]);
		}
		t->past[length] = code << (16 - length);
	}
	t->past[17] = 1 << 16;
	t->is_made = true;
	return true;
}

/* At least 57 bits, made up where the data has ended (at a marker, too). */
static struct reader refill_slowly(struct reader r)
{
	for (; r.n_bits <= 56; r.n_bits += 8) {
		if (r.at >= r.end || (*r.at == 0xff && (r.end - r.at < 2 || r.at[1] != 0))) {
			r.n_made_up += 8;
			continue;
		}
		r.bits |= (uint64_t)*r.at << (56 - r.n_bits);
		r.at += *r.at == 0xff ? 2 : 1;
	}
	return r;
}

static inline struct reader refill(struct reader r)
{
	uint64_t word;
	if (r.end - r.at < 8)
		return refill_slowly(r);
	memcpy(&word, r.at, 8);
	if (word & (~word - 0x0101010101010101u) & 0x8080808080808080u) /* one is 0xff */
		return refill_slowly(r);
	r.bits |= be64toh(word) >> r.n_bits;
	r.at += (63 - r.n_bits) >> 3;
	r.n_bits |= 56;
	return r;
}

/* As t->looks, for what these do not tell: 31 bits at most. 0: no code begins so. */
static __attribute__((noinline)) uint32_t look_longer(uint64_t bits, const struct table *t)
{
	int ahead = (int)(bits >> 48), length = 1;
	while (ahead >= t->past[length])
		length++;
	if (length > 16)
		return 0;
	int symbol = t->symbols[(t->index[length] + (ahead >> (16 - length))) & 255],
		size = symbol & 15;
	unsigned value = size ? (unsigned)(bits << length >> (64 - size)) : 0;
	return pack(extend(value, size), size == 0 && symbol < 0xf0 ? END : symbol >> 4, length + size);
}

static inline uint32_t look(const struct reader *r, const struct table *t)
{
	uint32_t found = t->looks[r->bits >> (64 - LOOK)];
	return found ? found : look_longer(r->bits, t);
}

static inline struct reader drop(struct reader r, uint32_t found)
{
	r.bits <<= found & 63;
	r.n_bits -= (int)(found & 63);
	return r;
}

/* One block's coefficients, into zeros. */
static inline bool decode_block(
	struct reader *reader, const struct table *dc, const struct table *ac, int *last_dc, JCOEF *out)
{
	struct reader r = refill(*reader);
	uint32_t found = look(&r, dc);
	if (!found)
		return false;
	r = drop(r, found);
	*last_dc += (int16_t)(found >> 16);
	out[0] = (JCOEF)*last_dc;
	if (*last_dc != out[0])
		return false;
	for (unsigned k = 1; k < 64; k++) {
		if (r.n_bits < 32)
			r = refill(r);
		found = look(&r, ac);
		if (!found)
			return false;
		r = drop(r, found);
		k += found >> 8 & 255;
		if (k > 63) {
			if (k < END)
				return false;
			break;
		}
		out[natural[k]] = (JCOEF)(int16_t)(found >> 16);
	}
	*reader = r;
	return true;
}

/* All bits up to the marker must be used up. */
static bool pass_restart(struct image_huffman *h, const struct jpeg_decompress_struct *jpeg)
{
	struct reader *r = &h->reader;
	if (r->n_bits - r->n_made_up >= 8 || r->end - r->at < 2 || r->at[0] != 0xff ||
		r->at[1] != 0xd0 + h->restart)
		return false;
	*r = (struct reader){.at = r->at + 2, .end = r->end};
	h->restart = (h->restart + 1) % 8;
	h->n_to_restart = jpeg->restart_interval;
	memset(h->last_dc, 0, sizeof h->last_dc);
	return true;
}

/* blocks NULL: nobody wants this MCU. */
static boolean decode_mcu(j_decompress_ptr jpeg, JBLOCKROW *blocks)
{
	struct decoder *d = jpeg->client_data;
	struct image_huffman *h = d->huffman;
	JBLOCK unseen;
	bool is_good = !jpeg->restart_interval || h->n_to_restart > 0 || pass_restart(h, jpeg);
	struct reader r = h->reader;
	h->n_to_restart--;
	for (int i = 0; i < jpeg->blocks_in_MCU && is_good; i++) {
		int which = jpeg->MCU_membership[i];
		const jpeg_component_info *component = jpeg->cur_comp_info[which];
		is_good = decode_block(&r, &h->dc[component->dc_tbl_no], &h->ac[component->ac_tbl_no],
			&h->last_dc[which], blocks ? blocks[i][0] : unseen);
	}
	if (!is_good || r.n_bits < r.n_made_up) {
		h->is_odd = true;
		longjmp(d->failure.jump, 1);
	}
	h->reader = r;
	jpeg->src->next_input_byte = r.at;
	jpeg->src->bytes_in_buffer = (size_t)(r.end - r.at);
	return TRUE;
}

bool image_huffman_is_odd(const struct decoder *d)
{
	return d->huffman && d->huffman->is_odd;
}

void image_huffman_start(struct decoder *d)
{
	struct jpeg_decompress_struct *jpeg = &d->jpeg;
	if (jpeg->arith_code || jpeg->progressive_mode || jpeg->data_precision != 8 ||
		jpeg_has_multiple_scans(jpeg))
		return;
	struct image_huffman *h = d->huffman = xcalloc(1, sizeof *h);
	for (int i = 0; i < jpeg->comps_in_scan; i++) {
		const jpeg_component_info *component = jpeg->cur_comp_info[i];
		int dc = component->dc_tbl_no, ac = component->ac_tbl_no;
		if ((!h->dc[dc].is_made && !make_table(jpeg->dc_huff_tbl_ptrs[dc], true, &h->dc[dc])) ||
			(!h->ac[ac].is_made && !make_table(jpeg->ac_huff_tbl_ptrs[ac], false, &h->ac[ac])))
			return;
	}
	h->reader.at = jpeg->src->next_input_byte;
	h->reader.end = h->reader.at + jpeg->src->bytes_in_buffer;
	h->n_to_restart = jpeg->restart_interval;
	jpeg->client_data = d;
	jpeg->entropy->decode_mcu = decode_mcu;
}
