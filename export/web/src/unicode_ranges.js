// Characters of Unicode 18.0 by their properties, made by a program.
// A table lists the first and the last code point of ranges, in hexadecimal.

// White_Space.
export const SPACES =
  "9-d 20-20 85-85 a0-a0 1680-1680 2000-200a 2028-2029 202f-202f 205f-205f 3000-3000";

// Punctuation and symbols: the categories P and S, without MARKS.
export const SIGNS =
  "21-2f 3a-40 5b-60 7b-7e a1-a9 ab-ac ae-b1 b4-b4 b6-b8 bb-bb bf-bf d7-d7 f7-f7 " +
  "2c2-2c5 2d2-2df 2e5-2eb 2ed-2ed 2ef-2ff 375-375 37e-37e 384-385 387-387 3f6-3f6 " +
  "482-482 55a-55f 589-58a 58d-58f 5be-5be 5c0-5c0 5c3-5c3 5c6-5c6 5f3-5f4 606-60f " +
  "61b-61b 61d-61f 66a-66d 6d4-6d4 6de-6de 6e9-6e9 6fd-6fe 700-70d 7f6-7f9 7fe-7ff " +
  "830-83e 85e-85e 888-888 964-965 970-970 9f2-9f3 9fa-9fb 9fd-9fd a76-a76 af0-af1 " +
  "b70-b70 bf3-bfa c77-c77 c7f-c7f c84-c84 d4f-d4f d79-d79 df4-df4 e3f-e3f e4f-e4f " +
  "e5a-e5b f01-f17 f1a-f1f f34-f34 f36-f36 f38-f38 f3a-f3d f85-f85 fbe-fc5 fc7-fcc " +
  "fce-fda 104a-104f 109e-109f 10fb-10fb 1360-1368 1390-1399 1400-1400 166d-166e " +
  "169b-169c 16eb-16ed 1735-1736 17d4-17d6 17d8-17db 1800-180a 1940-1940 1944-1945 " +
  "19de-19ff 1a1e-1a1f 1aa0-1aa6 1aa8-1aad 1b4e-1b4f 1b5a-1b6a 1b74-1b7f 1bfc-1bff " +
  "1c3b-1c3f 1c7e-1c7f 1cc0-1cc7 1cd3-1cd3 1fbd-1fbd 1fbf-1fc1 1fcd-1fcf 1fdd-1fdf " +
  "1fed-1fef 1ffd-1ffe 2010-2027 2030-205e 207a-207e 208a-208e 20a0-20c4 2100-2101 " +
  "2103-2106 2108-2109 2114-2114 2116-2118 211e-2123 2125-2125 2127-2127 2129-2129 " +
  "212e-212e 213a-213b 2140-2144 214a-214d 214f-214f 218a-218b 2190-2429 2440-244a " +
  "249c-24e9 2500-2775 2794-2b73 2b76-2bff 2ce5-2cea 2cf9-2cfc 2cfe-2cff 2d70-2d70 " +
  "2e00-2e2e 2e30-2e5d 2e60-2e63 2e80-2e99 2e9b-2ef3 2f00-2fd5 2ff0-2fff 3001-3004 " +
  "3008-3020 3030-3030 3036-3037 303d-303f 309b-309c 30a0-30a0 30fb-30fb 3190-3191 " +
  "3196-319f 31c0-31e5 31ef-31ef 3200-321e 322a-3247 3250-3250 3260-327f 328a-32b0 " +
  "32c0-33ff 4dc0-4dff a490-a4c6 a4fe-a4ff a60d-a60f a673-a673 a67e-a67e a6f2-a6f7 " +
  "a700-a716 a720-a721 a789-a78a a828-a82b a836-a839 a874-a877 a8ce-a8cf a8f8-a8fa " +
  "a8fc-a8fc a92e-a92f a95f-a95f a9c1-a9cd a9de-a9df aa5c-aa5f aa77-aa79 aade-aadf " +
  "aaf0-aaf1 ab5b-ab5b ab6a-ab6b abeb-abeb fb29-fb29 fbb2-fbd2 fd3e-fd4f fd90-fd91 " +
  "fdc8-fdcf fdfc-fdff fe10-fe19 fe30-fe52 fe54-fe66 fe68-fe6b ff01-ff0f ff1a-ff20 " +
  "ff3b-ff40 ff5b-ff65 ffe0-ffe6 ffe8-ffee fffc-fffd 10100-10102 10137-1013f " +
  "10179-10189 1018c-1018e 10190-1019c 101a0-101a0 101d0-101fc 1039f-1039f " +
  "103d0-103d0 1056f-1056f 10857-10857 10877-10878 1091f-1091f 1093f-1093f " +
  "10a50-10a58 10a7f-10a7f 10ac8-10ac8 10af0-10af6 10b39-10b3f 10b99-10b9c " +
  "10d6e-10d6e 10d8e-10d8f 10ead-10ead 10ec9-10eca 10ed0-10ed8 10f55-10f59 " +
  "10f86-10f89 11047-1104d 110bb-110bc 110be-110c1 11140-11143 11174-11175 " +
  "111c5-111c8 111cd-111cd 111db-111db 111dd-111df 11238-1123d 112a9-112a9 " +
  "113d4-113d5 113d7-113d8 1144b-1144f 1145a-1145b 1145d-1145d 114c6-114c6 " +
  "115c1-115d7 11641-11643 11660-1166c 116b9-116b9 1173c-1173f 1183b-1183b " +
  "11944-11946 119e2-119e2 11a3f-11a46 11a9a-11a9c 11a9e-11aa2 11b00-11b09 " +
  "11be1-11be1 11c41-11c45 11c70-11c71 11ef7-11ef8 11f43-11f4f 11fd5-11ff1 " +
  "11fff-11fff 12470-12474 12ff1-12ff2 16a6e-16a6f 16af5-16af5 16b37-16b3f " +
  "16b44-16b45 16d6d-16d6f 16e97-16e9a 16fe2-16fe2 1bc9c-1bc9c 1bc9f-1bc9f " +
  "1cc00-1ccef 1ccfa-1ccfc 1cd00-1ceb3 1ceba-1ced0 1ced2-1ced4 1cedd-1cefd " +
  "1cf50-1cfc3 1d000-1d0f5 1d100-1d126 1d129-1d164 1d16a-1d16c 1d183-1d184 " +
  "1d18c-1d1a9 1d1ae-1d241 1d245-1d245 1d253-1d25a 1d25d-1d25e 1d260-1d27f " +
  "1d300-1d356 1d6c1-1d6c1 1d6db-1d6db 1d6fb-1d6fb 1d715-1d715 1d735-1d735 " +
  "1d74f-1d74f 1d76f-1d76f 1d789-1d789 1d7a9-1d7a9 1d7c3-1d7c3 1d800-1d9ff " +
  "1da37-1da3a 1da6d-1da74 1da76-1da83 1da85-1da8b 1db00-1db1c 1e14f-1e14f " +
  "1e2ff-1e2ff 1e5ff-1e5ff 1e95e-1e95f 1ecac-1ecac 1ecb0-1ecb0 1ed2e-1ed2e " +
  "1eef0-1eef1 1f000-1f02b 1f030-1f093 1f0a0-1f0ae 1f0b1-1f0bf 1f0c1-1f0cf " +
  "1f0d1-1f0f5 1f10d-1f1ae 1f1e6-1f202 1f210-1f23b 1f240-1f248 1f250-1f251 " +
  "1f260-1f265 1f300-1f3fa 1f400-1f6d9 1f6dc-1f6ec 1f6f0-1f6fc 1f700-1f7db " +
  "1f7e0-1f7eb 1f7f0-1f80b 1f810-1f847 1f850-1f859 1f860-1f887 1f890-1f8ad " +
  "1f8b0-1f8bb 1f8c0-1f8c1 1f8d0-1f8d8 1f900-1fa57 1fa60-1fa6d 1fa70-1fa7c " +
  "1fa80-1fac6 1fac8-1fac8 1facc-1fadd 1fadf-1faeb 1faef-1fafa 1fb00-1fb92 " +
  "1fb94-1fbef 1fbfa-1fbfa";

// The category M, U+200C, U+200D, skin tones, and the tags of flags.
export const MARKS =
  "300-36f 483-489 591-5bd 5bf-5bf 5c1-5c2 5c4-5c5 5c7-5c9 610-61a 64b-65f 670-670 " +
  "6d6-6dc 6df-6e4 6e7-6e8 6ea-6ed 711-711 730-74a 7a6-7b0 7eb-7f3 7fd-7fd 816-819 " +
  "81b-823 825-827 829-82d 859-85b 897-89f 8ca-8e1 8e3-903 93a-93c 93e-94f 951-957 " +
  "962-963 981-983 9bc-9bc 9be-9c4 9c7-9c8 9cb-9cd 9d7-9d7 9e2-9e3 9fe-9fe a01-a03 " +
  "a3c-a3c a3e-a42 a47-a48 a4b-a4d a51-a51 a70-a71 a75-a75 a81-a83 abc-abc abe-ac5 " +
  "ac7-ac9 acb-acd ae2-ae3 afa-aff b01-b03 b3c-b3c b3e-b44 b47-b48 b4b-b4d b53-b57 " +
  "b62-b63 b82-b82 bbe-bc2 bc6-bc8 bca-bcd bd7-bd7 c00-c04 c3c-c3c c3e-c44 c46-c48 " +
  "c4a-c4d c55-c56 c62-c63 c81-c83 cbc-cbc cbe-cc4 cc6-cc8 cca-ccd cd5-cd6 ce2-ce3 " +
  "cf3-cf3 d00-d03 d3b-d3c d3e-d44 d46-d48 d4a-d4d d57-d57 d62-d63 d81-d83 dca-dca " +
  "dcf-dd4 dd6-dd6 dd8-ddf df2-df3 e31-e31 e34-e3a e47-e4e eb1-eb1 eb4-ebc ec8-ece " +
  "f18-f19 f35-f35 f37-f37 f39-f39 f3e-f3f f71-f84 f86-f87 f8d-f97 f99-fbc fc6-fc6 " +
  "102b-103e 1056-1059 105e-1060 1062-1064 1067-106d 1071-1074 1082-108d 108f-108f " +
  "109a-109d 135d-135f 1712-1715 1732-1734 1752-1753 1772-1773 17b4-17d3 17dd-17dd " +
  "180b-180d 180f-180f 1885-1886 18a9-18a9 1920-192b 1930-193b 1a17-1a1b 1a55-1a5e " +
  "1a60-1a7c 1a7f-1a7f 1ab0-1af0 1b00-1b04 1b34-1b44 1b6b-1b73 1b80-1b82 1ba1-1bad " +
  "1be6-1bf3 1c24-1c37 1cd0-1cd2 1cd4-1ce8 1ced-1ced 1cf4-1cf4 1cf7-1cf9 1dc0-1dff " +
  "200c-200d 20d0-20f0 2cef-2cf1 2d7f-2d7f 2de0-2dff 302a-302f 3099-309a a66f-a672 " +
  "a674-a67d a69e-a69f a6f0-a6f1 a802-a802 a806-a806 a80b-a80b a823-a827 a82c-a82c " +
  "a880-a881 a8b4-a8c5 a8e0-a8f1 a8ff-a8ff a926-a92d a947-a953 a980-a983 a9b3-a9c0 " +
  "a9e5-a9e5 aa29-aa36 aa43-aa43 aa4c-aa4d aa7b-aa7d aab0-aab0 aab2-aab4 aab7-aab8 " +
  "aabe-aabf aac1-aac1 aaeb-aaef aaf5-aaf6 abe3-abea abec-abed fb1e-fb1e fe00-fe0f " +
  "fe20-fe2f 101fd-101fd 102e0-102e0 10376-1037a 10a01-10a03 10a05-10a06 10a0c-10a0f " +
  "10a38-10a3a 10a3f-10a3f 10ae5-10ae6 10d24-10d27 10d69-10d6d 10eab-10eac " +
  "10ecb-10ecf 10ef0-10eff 10f46-10f50 10f82-10f85 11000-11002 11038-11046 " +
  "11070-11070 11073-11074 1107f-11082 110b0-110ba 110c2-110c2 11100-11102 " +
  "11127-11134 11145-11146 11173-11173 11180-11182 111b3-111c0 111c9-111cc " +
  "111ce-111cf 1122c-11237 1123e-1123e 11241-11241 112df-112ea 11300-11303 " +
  "1133b-1133c 1133e-11344 11347-11348 1134b-1134d 11357-11357 11362-11363 " +
  "11366-1136c 11370-11374 113b8-113c0 113c2-113c2 113c5-113c5 113c7-113ca " +
  "113cc-113d0 113d2-113d2 113e1-113e2 11435-11446 1145e-1145e 114b0-114c3 " +
  "115af-115b5 115b8-115c0 115dc-115dd 11630-11640 116ab-116b7 1171d-1172b " +
  "1182c-1183a 11930-11935 11937-11938 1193b-1193e 11940-11940 11942-11943 " +
  "119d1-119d7 119da-119e0 119e4-119e4 11a01-11a0a 11a33-11a39 11a3b-11a3e " +
  "11a47-11a47 11a51-11a5b 11a8a-11a99 11b60-11b67 11c2f-11c36 11c38-11c3f " +
  "11c92-11ca7 11ca9-11cb6 11d31-11d36 11d3a-11d3a 11d3c-11d3d 11d3f-11d45 " +
  "11d47-11d47 11d8a-11d8e 11d90-11d91 11d93-11d97 11df0-11df0 11ef3-11ef6 " +
  "11f00-11f01 11f03-11f03 11f34-11f3a 11f3e-11f42 11f5a-11f5a 13440-13440 " +
  "13447-13455 1611e-1612f 16af0-16af4 16b30-16b36 16f4f-16f4f 16f51-16f87 " +
  "16f8f-16f92 16fe4-16fe4 16ff0-16ff1 1bc9d-1bc9e 1cf00-1cf2d 1cf30-1cf46 " +
  "1d127-1d128 1d165-1d169 1d16d-1d172 1d17b-1d182 1d185-1d18b 1d1aa-1d1ad " +
  "1d242-1d244 1d250-1d252 1d25b-1d25c 1d25f-1d25f 1d280-1d281 1da00-1da36 " +
  "1da3b-1da6c 1da75-1da75 1da84-1da84 1da9b-1da9f 1daa1-1daaf 1e000-1e006 " +
  "1e008-1e018 1e01b-1e021 1e023-1e024 1e026-1e02a 1e08f-1e08f 1e130-1e136 " +
  "1e2ae-1e2ae 1e2ec-1e2ef 1e4ec-1e4ef 1e5ee-1e5ef 1e6e3-1e6e3 1e6e6-1e6e6 " +
  "1e6ee-1e6ef 1e6f5-1e6f5 1e8d0-1e8d6 1e944-1e94a 1f3fb-1f3ff e0020-e007f " +
  "e0100-e01ef";

// The soft hyphen, U+200B, U+FEFF and others: Default_Ignorable_Code_Point of the
// category Cf, without MARKS.
export const INVISIBLE =
  "ad-ad 61c-61c 180e-180e 200b-200b 200e-200f 202a-202e 2060-2064 2066-206f " +
  "feff-feff 1bca0-1bca3 1d173-1d17a e0001-e0001";

// Ends of sentences: Sentence_Terminal, and U+2026.
export const ENDS =
  "21-21 2e-2e 3f-3f 589-589 61d-61f 6d4-6d4 700-702 7f9-7f9 837-837 839-839 83d-83e " +
  "964-965 104a-104b 1362-1362 1367-1368 166e-166e 1735-1736 17d4-17d5 1803-1803 " +
  "1809-1809 1944-1945 1aa8-1aab 1b4e-1b4f 1b5a-1b5b 1b5e-1b5f 1b7d-1b7f 1c3b-1c3c " +
  "1c7e-1c7f 2024-2024 2026-2026 203c-203d 2047-2049 2cf9-2cfb 2e2e-2e2e 2e3c-2e3c " +
  "2e53-2e54 2e60-2e61 3002-3002 a4ff-a4ff a60e-a60f a6f3-a6f3 a6f7-a6f7 a876-a877 " +
  "a8ce-a8cf a92f-a92f a9c8-a9c9 aa5d-aa5f aaf0-aaf1 abeb-abeb fe12-fe12 fe15-fe16 " +
  "fe52-fe52 fe56-fe57 ff01-ff01 ff0e-ff0e ff1f-ff1f ff61-ff61 10a56-10a57 " +
  "10f55-10f59 10f86-10f89 11047-11048 110be-110c1 11141-11143 111c5-111c6 " +
  "111cd-111cd 111de-111df 11238-11239 1123b-1123c 112a9-112a9 113d4-113d5 " +
  "1144b-1144c 115c2-115c3 115c9-115d7 11641-11642 1173c-1173e 11944-11944 " +
  "11946-11946 11a42-11a43 11a9b-11a9c 11c41-11c42 11ef7-11ef8 11f43-11f44 " +
  "16a6e-16a6f 16af5-16af5 16b37-16b38 16b44-16b44 16d6e-16d6f 16e98-16e98 " +
  "1bc9f-1bc9f 1da88-1da88";
