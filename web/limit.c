/*
 * A bucket is one number: when it will be full again (the generic cell rate algorithm, ITU-T I.371). A thing moves that by
 * the time in which one comes back; it is too much where that would be more than a full bucket ahead.
 */
#include "limit.h"

#include "status.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_SETS = 8192, WAYS = 8 }; /* 1 MiB */

static const struct {
	bool by_address; /* then both numbers are a person's share, times the people at an address */
	double burst;    /* things at once */
	double refill_s; /* seconds until one comes back */
} rules[N_LIMITS] = {
	[LIMIT_LOGIN] = {false, 10, 60},
	[LIMIT_LOGIN_NAME] = {false, 100, 60},
	[LIMIT_LOGIN_ADDRESS] = {true, 2, 300},
	[LIMIT_SIGNUP] = {true, 1, 3600},
	[LIMIT_ANONYMOUS] = {true, 4, 900},
	[LIMIT_FLAG] = {true, 2, 1800},
	[LIMIT_ANSWER] = {false, 1000, 0.5}, /* days off line come at once */
	[LIMIT_COMMENT] = {false, 10, 30},
	[LIMIT_EXPORT] = {false, 5, 3600},
};

struct limits {
	double people;
	pthread_mutex_t mutex;
	unsigned char secret[crypto_shorthash_KEYBYTES];
	struct bucket {
		uint64_t key;
		int64_t full_us; /* when it is full again; 0: nobody's */
	} buckets[N_SETS][WAYS];
};

struct limits *limits_new(int people)
{
	struct limits *l = xcalloc(1, sizeof *l);
	l->people = people;
	pthread_mutex_init(&l->mutex, NULL);
	randombytes_buf(l->secret, sizeof l->secret);
	return l;
}

void limits_free(struct limits *l)
{
	if (!l)
		return;
	pthread_mutex_destroy(&l->mutex);
	free(l);
}

bool limit_by_address(enum limit_kind kind)
{
	return rules[kind].by_address;
}

/* The key's bucket, or the one that is to go for it. */
static struct bucket *find(struct limits *l, enum limit_kind kind, const char *key, uint64_t *hash)
{
	char text[400];
	unsigned char bytes[crypto_shorthash_BYTES];
	snprintf(text, sizeof text, "%d %.380s", (int)kind, key);
	crypto_shorthash(bytes, (const unsigned char *)text, strlen(text), l->secret);
	memcpy(hash, bytes, sizeof *hash);
	struct bucket *set = l->buckets[*hash % N_SETS];
	struct bucket *oldest = set;
	for (int i = 0; i < WAYS; i++) {
		if (set[i].full_us && set[i].key == *hash)
			return &set[i];
		if (set[i].full_us < oldest->full_us)
			oldest = &set[i];
	}
	return oldest;
}

static int64_t each_us(const struct limits *l, enum limit_kind kind)
{
	return (int64_t)(rules[kind].refill_s * 1e6 / (rules[kind].by_address ? l->people : 1));
}

int limit_take(struct limits *l, enum limit_kind kind, const char *key, int64_t now_ms)
{
	uint64_t hash;
	const int64_t now_us = now_ms * 1000, each = each_us(l, kind);
	const double burst = rules[kind].burst * (rules[kind].by_address ? l->people : 1);
	const int64_t most_us = (int64_t)(burst * (double)each);
	int wait_s = 0;
	pthread_mutex_lock(&l->mutex);
	struct bucket *b = find(l, kind, key, &hash);
	int64_t full_us = b->key == hash && b->full_us > now_us ? b->full_us : now_us;
	if (full_us > now_us + most_us) /* a clock that was set back */
		full_us = now_us + most_us;
	if (full_us + each > now_us + most_us)
		wait_s = (int)((full_us + each - now_us - most_us + 999999) / 1000000);
	else
		*b = (struct bucket){hash, full_us + each};
	pthread_mutex_unlock(&l->mutex);
	return wait_s;
}

void limit_give(struct limits *l, enum limit_kind kind, const char *key)
{
	uint64_t hash;
	pthread_mutex_lock(&l->mutex);
	struct bucket *b = find(l, kind, key, &hash);
	if (b->key == hash && b->full_us)
		b->full_us -= each_us(l, kind);
	pthread_mutex_unlock(&l->mutex);
}

void limit_address(const char *connection, const char *forwarded, char out[48])
{
	char text[64];
	unsigned char bytes[16];
	static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
	static const unsigned char loopback[16] = {[15] = 1};
	const char *last = forwarded && strrchr(forwarded, ',') ? strrchr(forwarded, ',') + 1
															: forwarded;
	last = last ? last + strspn(last, " \t") : connection;
	out[0] = 0;
	snprintf(text, sizeof text, "%s", last);
	text[strcspn(text, " \t")] = 0;
	if (inet_pton(AF_INET6, text, bytes) == 1 && memcmp(bytes, mapped, sizeof mapped) != 0) {
		if (memcmp(bytes, loopback, sizeof loopback) != 0) {
			memset(bytes + 8, 0, 8);
			inet_ntop(AF_INET6, bytes, out, 48);
		}
		return;
	}
	const char *dotted = strrchr(text, ':') ? strrchr(text, ':') + 1 : text; /* ::ffff:1.2.3.4 */
	if (inet_pton(AF_INET, dotted, bytes) != 1)
		snprintf(out, 48, "?"); /* all who cannot be told apart together */
	else if (bytes[0] != 127)
		inet_ntop(AF_INET, bytes, out, 48);
}
