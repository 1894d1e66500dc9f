"""What announces private text, in the languages of those who write it; "|" between the words."""

PASSWORDS = (
    "psk|wpa key|wpa2 key|wifi key|network key|wlan-schlüssel|wlanschlüssel|password|passwd|passphrase|pass phrase|passcode|passwort|kennwort|pwd|passw|contraseña|contrasena|contrasenya"
    "|clave de acceso|mot de passe|motdepasse|mdp|senha|wachtwoord|parola|parolă|hasło|haslo|lösenord|passord"
    "|adgangskode|kodeord|salasana|lykilorð|heslo|jelszó|geslo|lozinka|zaporka|slaptažodis|parool|şifre|sifre"
    "|kata sandi|mật khẩu|пароль|пароля|парола|лозинка|κωδικός|κωδικος|סיסמה|סיסמא|كلمة المرور|كلمة السر|पासवर्ड"
    "|รหัสผ่าน|密码|密碼|口令|パスワード|暗証番号|비밀번호|암호"
)
# What may stand between a name and its value.
SAYS = "is|was|ist|war|lautet|es|est|era|é|è|jest|är|er|je|bude|это|to|adalah|là|は|是|为|為|είναι|هي|है|คือ|입니다"
TELEPHONES = (
    "contact number|contact no|phone number|phone no|mobile number|mobile no|telephone|phone|mobile|cell|cellphone|fax|telefax|telefon|telefonnummer|telefonnr|rufnummer|handy|handynummer"
    "|mobil|mobilnummer|mobiltelefon|natel|durchwahl|festnetz|téléphone|teléfono|telefono|móvil|movil|celular"
    "|cellulare|recapito|telefone|telemóvel|telemovel|telefoon|telefoonnummer|mobiel|komórka|telefonszám|mobilszám"
    "|puhelin|puhelinnumero|matkapuhelin|telefón|telefonul|telpon|telepon|whatsapp|viber|điện thoại|sđt"
    "|телефон|телефону|телефона|мобильный|мобільний|звоните|звонить|τηλέφωνο|κινητό|טלפון|נייד|هاتف|جوال"
    "|اتصل على|फ़ोन|फोन|मोबाइल|โทรศัพท์|เบอร์|โทร|电话|電話|手机|手機|電話番号|携帯|連絡先|전화|전화번호|휴대폰|핸드폰|연락처"
)
# Whole words that mean other things, too, or end others.
TELEPHONES_OR_MORE = (
    "fijo|fixo|landline|office|switchboard|centralita|tel|mob|cel|tél|gsm|tlf|tfn|kom|puh|τηλ|тел|моб|cep|hp|wa|sms|text|ring|bel|call|dial|reach|contact|ligue|llámame"
    "|llamar|llama|appelez|appelle|joindre|joignable|portable|fixe|chiama"
    "|chiamare|zadzwoń|anrufen|erreichbar|טל"
)
