/* Dates and clock times by arithmetic alone (civil.h). One reader of digits serves every format,
 * and nothing is taken that the format does not say. */
#include "civil.h"

#include <assert.h>
#include <stdio.h>

static bool leap(int year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

bool civil_date_valid(const struct civil_date *date)
{
	static const int days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	if (date->year < 1 || date->year > 9999 || date->month < 1 || date->month > 12)
		return false;
	int last = days[date->month - 1] + (date->month == 2 && leap(date->year));
	return date->day >= 1 && date->day <= last && date->hour >= 0 && date->hour <= 23 &&
		date->minute >= 0 && date->minute <= 59 && date->second >= 0 && date->second <= 59;
}

/* Both directions count years from 1 March, so that the leap day is a year's last. */
int64_t civil_seconds(const struct civil_date *date)
{
	assert(civil_date_valid(date));
	int64_t year = date->year - (date->month <= 2);
	int64_t era = (year >= 0 ? year : year - 399) / 400;
	int64_t year_of_era = year - era * 400;
	int64_t day_of_year = (153 * (date->month + (date->month > 2 ? -3 : 9)) + 2) / 5 + date->day -
		1;
	int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
	int64_t day = era * 146097 + day_of_era - 719468;
	return day * 86400 + date->hour * 3600 + date->minute * 60 + date->second;
}

struct civil_date civil_date_of(int64_t civil_s)
{
	int64_t day = civil_s / 86400, second = civil_s % 86400;
	if (second < 0) {
		second += 86400;
		day--;
	}
	day += 719468;
	int64_t era = (day >= 0 ? day : day - 146096) / 146097;
	int64_t day_of_era = day - era * 146097;
	int64_t year_of_era =
		(day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int64_t month_from_march = (5 * day_of_year + 2) / 153;
	int month = (int)(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);
	struct civil_date date = {
		.year = (int)(year_of_era + era * 400 + (month <= 2)),
		.month = month,
		.day = (int)(day_of_year - (153 * month_from_march + 2) / 5 + 1),
		.hour = (int)(second / 3600),
		.minute = (int)(second / 60 % 60),
		.second = (int)(second % 60),
	};
	assert(civil_date_valid(&date));
	return date;
}

/* Exactly n digits at *p, which moves past them; false leaves it anywhere. */
static bool digits(const char **p, int n, int *value)
{
	*value = 0;
	for (int i = 0; i < n; i++, (*p)++) {
		if (**p < '0' || **p > '9')
			return false;
		*value = *value * 10 + (**p - '0');
	}
	return true;
}

static bool skip(const char **p, char c)
{
	if (**p != c)
		return false;
	(*p)++;
	return true;
}

/* Z, +HH, +HHMM or +HH:MM to the end of the text. */
static bool offset(const char *p, int *offset_s)
{
	int hours, minutes = 0;
	if (*p == 'Z' || *p == 'z') {
		*offset_s = 0;
		return p[1] == 0;
	}
	int sign = *p == '-' ? -1 : 1;
	if (!skip(&p, '+') && !skip(&p, '-'))
		return false;
	if (!digits(&p, 2, &hours))
		return false;
	if (*p) {
		skip(&p, ':');
		if (!digits(&p, 2, &minutes))
			return false;
	}
	*offset_s = sign * (hours * 3600 + minutes * 60);
	return *p == 0 && minutes <= 59 && hours * 3600 + minutes * 60 <= CIVIL_MAX_OFFSET_S;
}

enum status civil_parse_offset(const char *text, int *offset_s, struct err *err)
{
	int value;
	if (!offset(text, &value))
		return err_set(
			err, BAD_INPUT, "\"%.40s\" is not an offset from UTC: write it as +02:00", text);
	*offset_s = value;
	return OK;
}

enum status civil_parse(const char *text, struct civil_time *out, struct err *err)
{
	struct civil_date date = {0};
	struct civil_time time = {0};
	const char *p = text;
	if (!digits(&p, 4, &date.year) || !skip(&p, '-') || !digits(&p, 2, &date.month) ||
		!skip(&p, '-') || !digits(&p, 2, &date.day))
		goto bad;
	if (*p == 0)
		return err_set(
			err, BAD_INPUT, "\"%s\" has no time of day: write it as 2020-05-30T04:57:37", text);
	if (!skip(&p, 'T') && !skip(&p, 't') && !skip(&p, ' '))
		goto bad;
	if (!digits(&p, 2, &date.hour) || !skip(&p, ':') || !digits(&p, 2, &date.minute))
		goto bad;
	if (skip(&p, ':')) {
		if (!digits(&p, 2, &date.second))
			goto bad;
		if (skip(&p, '.') || skip(&p, ',')) {
			int n = 0, scale = 100;
			for (; *p >= '0' && *p <= '9'; p++, n++, scale /= 10)
				time.millisecond += (*p - '0') * scale;
			if (n == 0)
				goto bad;
		}
	}
	/* Years 1 and 9999 stay free, so that no offset leads out of the calendar. */
	if (!civil_date_valid(&date) || date.year < 2 || date.year > 9998)
		return err_set(err, BAD_INPUT, "\"%.40s\" names no day and second of the calendar", text);
	time.has_offset = *p != 0;
	if (time.has_offset && !offset(p, &time.offset_s))
		goto bad;
	time.civil_s = civil_seconds(&date);
	*out = time;
	return OK;
bad:
	return err_set(err, BAD_INPUT,
		"\"%.40s\" is not a date and time: write it as 2020-05-30T04:57:37 or with +02:00", text);
}

void civil_format_local(int64_t civil_s, char out[CIVIL_TEXT])
{
	struct civil_date d = civil_date_of(civil_s);
	snprintf(out, CIVIL_TEXT, "%04d-%02d-%02dT%02d:%02d:%02d", d.year % 10000, d.month, d.day,
		d.hour, d.minute, d.second);
}

void civil_format(int64_t utc_s, int millisecond, int offset_s, char out[CIVIL_TEXT])
{
	assert(offset_s % 60 == 0 && offset_s >= -CIVIL_MAX_OFFSET_S && offset_s <= CIVIL_MAX_OFFSET_S);
	assert(millisecond >= 0 && millisecond <= 999);
	civil_format_local(utc_s + offset_s, out);
	char *p = out + 19, *end = out + CIVIL_TEXT;
	if (millisecond)
		p += snprintf(p, (size_t)(end - p), ".%03d", millisecond % 1000);
	unsigned minutes = (unsigned)(offset_s < 0 ? -offset_s : offset_s) / 60;
	if (minutes == 0)
		snprintf(p, (size_t)(end - p), "Z");
	else
		snprintf(p, (size_t)(end - p), "%c%02u:%02u", offset_s < 0 ? '-' : '+', minutes / 60 % 100,
			minutes % 60);
}
