// SPDX-License-Identifier: GPL-2.0-only
/*
 * The JSON builder: json-c holds the document, a stack of open containers says
 * where the next value goes.
 */
#include "common/format-output.h"

#include <errno.h>
#include <json-c/json.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "common/string-utils.h"

int output_format_parse(const char *name, enum output_format *format)
{
	if (strcmp(name, "text") == 0)
		*format = OUTPUT_TEXT;
	else if (strcmp(name, "json") == 0)
		*format = OUTPUT_JSON;
	else
		return -EINVAL;
	return 0;
}

static void fail(struct format_ctx *ctx, int err)
{
	if (ctx->err == 0)
		ctx->err = err;
}

/*
 * Hand @value to the open container.  It is freed if that fails, so @value NULL
 * is taken for a constructor that found no memory; JSON's null is told apart by
 * @is_null.
 */
static bool put(struct format_ctx *ctx, const char *key, struct json_object *value, bool is_null)
{
	struct json_object *parent;
	int ret;

	if (!value && !is_null)
		fail(ctx, -ENOMEM);
	if (ctx->err)
		goto out_free;

	parent = ctx->open[ctx->depth - 1];
	/* A key is needed in objects, and has no place in arrays. */
	if (json_object_is_type(parent, json_type_array) == (key != NULL)) {
		fail(ctx, -EINVAL);
		goto out_free;
	}
	ret = key ? json_object_object_add(parent, key, value) :
		    json_object_array_add(parent, value);
	if (ret < 0) {
		fail(ctx, -ENOMEM);
		goto out_free;
	}
	return true;

out_free:
	json_object_put(value);
	return false;
}

static void open_container(struct format_ctx *ctx, const char *key, struct json_object *container)
{
	if (ctx->depth == FORMAT_MAX_DEPTH)
		fail(ctx, -EINVAL);
	if (put(ctx, key, container, false))
		ctx->open[ctx->depth++] = container;
}

static void close_container(struct format_ctx *ctx, enum json_type type)
{
	if (ctx->err)
		return;
	/* The document itself is closed by format_end(). */
	if (ctx->depth <= 1 || !json_object_is_type(ctx->open[ctx->depth - 1], type)) {
		fail(ctx, -EINVAL);
		return;
	}
	ctx->depth--;
}

void format_begin(struct format_ctx *ctx)
{
	*ctx = (struct format_ctx){ .depth = 0 };
	ctx->open[0] = json_object_new_object();
	if (!ctx->open[0]) {
		fail(ctx, -ENOMEM);
		return;
	}
	ctx->depth = 1;
	format_object_begin(ctx, "__header");
	format_string(ctx, "version", "1");
	format_object_end(ctx);
}

void format_cancel(struct format_ctx *ctx)
{
	json_object_put(ctx->open[0]);
	*ctx = (struct format_ctx){ .depth = 0 };
}

int format_end(struct format_ctx *ctx, FILE *file)
{
	const char *text;
	int ret;

	if (ctx->err == 0 && ctx->depth != 1)
		fail(ctx, -EINVAL);
	ret = ctx->err;
	if (ret == 0) {
		text = json_object_to_json_string_ext(
			ctx->open[0], JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
					      JSON_C_TO_STRING_NOSLASHESCAPE);
		errno = 0;
		if (!text)
			ret = -ENOMEM;
		else if (fputs(text, file) < 0 || fputc('\n', file) < 0 || fflush(file) != 0)
			ret = errno ? -errno : -EIO;
	}
	format_cancel(ctx);
	return ret;
}

void format_object_begin(struct format_ctx *ctx, const char *key)
{
	open_container(ctx, key, json_object_new_object());
}

void format_object_end(struct format_ctx *ctx)
{
	close_container(ctx, json_type_object);
}

void format_array_begin(struct format_ctx *ctx, const char *key)
{
	open_container(ctx, key, json_object_new_array());
}

void format_array_end(struct format_ctx *ctx)
{
	close_container(ctx, json_type_array);
}

void format_u64(struct format_ctx *ctx, const char *key, u64 value)
{
	put(ctx, key, json_object_new_uint64(value), false);
}

void format_s64(struct format_ctx *ctx, const char *key, s64 value)
{
	put(ctx, key, json_object_new_int64(value), false);
}

void format_double(struct format_ctx *ctx, const char *key, double value)
{
	put(ctx, key, json_object_new_double(value), false);
}

void format_bool(struct format_ctx *ctx, const char *key, bool value)
{
	put(ctx, key, json_object_new_boolean(value), false);
}

void format_null(struct format_ctx *ctx, const char *key)
{
	put(ctx, key, NULL, true);
}

void format_string(struct format_ctx *ctx, const char *key, const char *str)
{
	put(ctx, key, json_object_new_string(str), false);
}

void format_stringf(struct format_ctx *ctx, const char *key, const char *fmt, ...)
{
	va_list ap;
	char *str;
	int ret;

	va_start(ap, fmt);
	ret = vasprintf(&str, fmt, ap);
	va_end(ap);
	if (ret < 0) {
		fail(ctx, -ENOMEM);
		return;
	}
	format_string(ctx, key, str);
	free(str);
}

static void format_hex(struct format_ctx *ctx, const char *key, const char *data, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	char *hex = malloc(len * 2 + 1);

	if (!hex) {
		fail(ctx, -ENOMEM);
		return;
	}
	for (size_t i = 0; i < len; i++) {
		hex[2 * i] = digits[(unsigned char)data[i] >> 4];
		hex[2 * i + 1] = digits[(unsigned char)data[i] & 15];
	}
	hex[2 * len] = '\0';
	format_string(ctx, key, hex);
	free(hex);
}

void format_name(struct format_ctx *ctx, const char *key, const char *name, size_t len)
{
	char *escaped, *hex_key;

	/* Twice the length must still be an int for json-c. */
	if (len > INT_MAX / 8) {
		fail(ctx, -E2BIG);
		return;
	}
	if (is_utf8(name, len)) {
		put(ctx, key, json_object_new_string_len(name, (int)len), false);
		return;
	}

	escaped = malloc(ESCAPED_SIZE(len));
	if (!escaped) {
		fail(ctx, -ENOMEM);
		return;
	}
	escape_path(name, len, escaped, ESCAPED_SIZE(len));
	format_string(ctx, key, escaped);
	free(escaped);

	if (!key)
		return;
	if (asprintf(&hex_key, "%s_hex", key) < 0) {
		fail(ctx, -ENOMEM);
		return;
	}
	format_hex(ctx, hex_key, name, len);
	free(hex_key);
}
