/*
 * How often people may do what costs others: token buckets in memory, gone with the server. What is limited, and how far, is
 * a table in limit.c (docs/operating.md has it in words). Whoever asks from this machine itself is not limited by address.
 *
 * Memory is fixed: keys are hashed under a secret into a table; where a place is wanted for a new key, the one that has
 * recovered most goes.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum limit_kind {
	LIMIT_LOGIN,         /* wrong passwords for a name from an address */
	LIMIT_LOGIN_NAME,    /* wrong passwords for a name from anywhere */
	LIMIT_LOGIN_ADDRESS, /* wrong passwords from an address */
	LIMIT_SIGNUP,        /* accounts made from an address */
	LIMIT_ANONYMOUS,     /* new anonymous volunteers from an address */
	LIMIT_FLAG,          /* flags that hide a subject, from an address */
	LIMIT_ANSWER,        /* a volunteer's answers */
	LIMIT_COMMENT,       /* a volunteer's comments */
	LIMIT_EXPORT,        /* a volunteer's downloads of their own data */
	N_LIMITS
};

struct limits;

/* `people`: how many may share one address; limits by address grow with it. */
struct limits *limits_new(int people);
void limits_free(struct limits *limits);

/*
 * One thing of a kind by whom the key names, at now_ms. Seconds to wait where it is too much (nothing is taken then), else 0.
 * Safe from several threads.
 */
int limit_take(struct limits *limits, enum limit_kind kind, const char *key, int64_t now_ms);
/* Gives the last one back: it was none of that kind after all. */
void limit_give(struct limits *limits, enum limit_kind kind, const char *key);

/* Whether a kind counts by address. */
bool limit_by_address(enum limit_kind kind);

/*
 * What limits know an address by: IPv4 whole, of IPv6 the first 64 bits (a household's). "" for the machine itself, "?" for
 * what is no address. forwarded: X-Forwarded-For where a proxy stands in front, else NULL; the last entry is the proxy's own.
 */
void limit_address(const char *connection, const char *forwarded, char out[48]);
