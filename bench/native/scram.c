/* RFC 5802: the client's side of SCRAM-SHA-1, without checking the server: its signature is not the question here. */
#define _GNU_SOURCE
#include "client.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INITIATOR "Initiator"
#define SIZE SHA_DIGEST_LENGTH
#define CLIENT_KEY "Client Key"

/* The bench gives all accounts of a server one salt, so that hashing a password is not what the generator does. */
static struct {
    unsigned char salt[256], password[SIZE];
    int salt_length, iterations;
} known;

char *to_base64(const void *data, size_t length)
{
    char *text = malloc(length * 4 / 3 + 8);
    EVP_EncodeBlock((unsigned char *)text, data, (int)length);
    return text;
}

static int from_base64(const char *text, size_t length, unsigned char *data)
{
    int size = EVP_DecodeBlock(data, (const unsigned char *)text, (int)length);
    if (size > 0 && text[length - 1] == '=')
        size -= text[length - 2] == '=' ? 2 : 1;
    return size;
}

static char *client_first_bare(struct client *client)
{
    char *text;
    if (asprintf(&text, "n=u%d,r=%s", client->number, client->nonce) < 0)
        die("no memory");
    return text;
}

char *scram_first(struct client *client)
{
    unsigned char random[12];
    RAND_bytes(random, sizeof random);
    for (size_t i = 0; i < sizeof random; i++)
        sprintf(client->nonce + 2 * i, "%02x", random[i]);
    char *bare = client_first_bare(client), *whole;
    if (asprintf(&whole, "n,,%s", bare) < 0)
        die("no memory");
    char *encoded = to_base64(whole, strlen(whole));
    free(bare);
    free(whole);
    return encoded;
}

static const unsigned char *salted_password(const char *salt, size_t length, int iterations)
{
    unsigned char decoded[256];
    int size = length < sizeof decoded ? from_base64(salt, length, decoded) : -1;
    if (size <= 0)
        return NULL;
    if (size != known.salt_length || iterations != known.iterations || memcmp(decoded, known.salt, (size_t)size)) {
        memcpy(known.salt, decoded, (size_t)size);
        known.salt_length = size;
        known.iterations = iterations;
        PKCS5_PBKDF2_HMAC(options.password, -1, decoded, size, iterations, EVP_sha1(), SIZE, known.password);
    }
    return known.password;
}

static void prove(const unsigned char *salted, const char *auth_message, unsigned char *proof)
{
    unsigned char client_key[SIZE], stored_key[SIZE], signature[SIZE];
    HMAC(EVP_sha1(), salted, SIZE, (const unsigned char *)CLIENT_KEY, strlen(CLIENT_KEY), client_key, NULL);
    SHA1(client_key, SIZE, stored_key);
    HMAC(EVP_sha1(), stored_key, SIZE, (const unsigned char *)auth_message, strlen(auth_message), signature, NULL);
    for (int i = 0; i < SIZE; i++)
        proof[i] = client_key[i] ^ signature[i];
}

char *scram_final(struct client *client, const char *challenge, size_t length)
{
    char first[1024];
    int size = length < sizeof first - 4 ? from_base64(challenge, length, (unsigned char *)first) : -1;
    if (size <= 0)
        return NULL;
    first[size] = '\0';
    char *salt = strstr(first, ",s="), *count = strstr(first, ",i=");
    if (strncmp(first, "r=", 2) || !salt || !count || count < salt)
        return NULL;
    const unsigned char *salted = salted_password(salt + 3, (size_t)(count - salt - 3), atoi(count + 3));
    if (!salted)
        return NULL;
    char *bare = client_first_bare(client), *message, *answer;
    int nonce = (int)(salt - first);
    if (asprintf(&message, "%s,%s,c=biws,%.*s", bare, first, nonce, first) < 0)
        die("no memory");
    unsigned char proof[SIZE];
    prove(salted, message, proof);
    char *encoded = to_base64(proof, SIZE);
    if (asprintf(&answer, "c=biws,%.*s,p=%s", nonce, first, encoded) < 0)
        die("no memory");
    char *result = to_base64(answer, strlen(answer));
    free(bare);
    free(message);
    free(encoded);
    free(answer);
    return result;
}

char *signed_token(struct client *client)
{
    unsigned char message[64 + SHA256_DIGEST_LENGTH];
    int length = sprintf((char *)message, "u%d", client->number) + 1;
    HMAC(EVP_sha256(), client->token, (int)strlen(client->token), (const unsigned char *)INITIATOR, strlen(INITIATOR),
         message + length, NULL);
    return to_base64(message, (size_t)length + SHA256_DIGEST_LENGTH);
}
