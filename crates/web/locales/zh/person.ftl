# 付款码

code-own = 我自己
code-who-pays = 付款方
code-title = 付款码
code-shape = 码的形式
code-qr = 二维码
code-bars = 条形码
code-how = 请向收银员出示，一码只付一次。
code-renews = 付款码会自动更新。
code-renews-in = % 秒后更新
code-offline = 网络已断开，显示的码可能已过期；恢复后会自动更新。
code-sound = 声音码
code-renew = 换一个码
code-digits = 显示数字
code-digits-warning = 只给面前的收银员看。切勿在电话中念出或发给他人：谁得到数字，谁就能用您的钱付款。
code-pause = 暂停付款码
code-paused = 付款码已暂停
code-paused-what = 现在不能生成或使用付款码。付款记录和开票信息仍会保留。
code-resume = 恢复
code-none = 没有可出示的码
code-institution-none = 该机构尚未开通付款码，请联系机构管理员。
code-institution-paused = 该机构已暂停付款码，请联系机构管理员。
code-not-tied = 您不能出示该机构的码，请联系机构管理员添加。
code-closed = 您的付款码已永久关闭。如需重新开通，请联系运营方。
code-own-instead = 出示我自己的码
code-next-coming = 正在生成新的码…
code-next-now = 立即换码
enable-title = 开通付款码
enable-what = 开通后，您将得到一个从您自己账户付款的码，并受额度保护。每次打开本页都会生成新的码。
enable-consent = 允许 Onescan 读取以下内容，作为首份开票信息
enable-consent-hint = 如果想自己填写开票信息，可以都不选。随时可在“隐私”中撤回。
enable = 开通
consent-field-name = 姓名
consent-field-email = 电子邮箱
paid-by = 由 { $name } 付款
paid-by-you = 由您付款
refused-what-now = 这个码已失效。您可以出示另一个码（例如换一个付款方），或用其他方式付款。
elsewhere-what = 商户称您已用其他方式付款。此处没有扣款。
elsewhere-object = 商户称您已用其他方式付款，此处没有扣款。如与事实不符，请凭下面的号码向商户提出异议，并告知运营方。
payment-details = 详情
invoice-details-sent = 已发给商户用于开票
invoice-details-none = 商户没有收到开票信息。
question-title = 发票开给谁？
question-default = 如果不选择，将使用第一个。

# 付款记录

payments-empty = 您的付款记录会显示在这里。
payments-first = 出示付款码
merchant-unknown = 未知商户
refunded-of = 其中 { $amount } 已退款
who-pays = 付款方
scenario = 消费场景
subject = 内容
order-number = 订单号
payment-number = 付款号
invoice = 发票
invoice-issued-at = 开具于 { $at }
invoice-number = 号码
invoice-not-yet = 尚未开票。商户已收到下列开票信息；如需查询，请向商户提供订单号。
refunds = 退款

# 开票信息

profiles-title = 开票信息
profiles-what = 商户开票时使用的内容。商户只会得到本次消费场景的一份，不会得到其他。
profiles-not-enabled = 请先开通付款码，开票信息归属于付款码。
profiles-empty = 只需填写一次姓名或公司，以后的发票都不会写错。
profile-add = 添加开票信息
profile-add-first = 添加第一份
profile-change = 修改开票信息
profile-preferred = 首选
profile-preferred-hint = 首选：未及时选择时使用这一份
profile-remove-sure = 删除“{ $title }”的开票信息？以前的发票不受影响。
profile-scenarios = 适用于
profile-scenarios-hint = 都不选，则适用于所有消费场景。
profile-any-scenario = 所有消费场景
profile-more = 地址、电话、开户行
title = 发票抬头
title-kind = 类型
title-personal = 个人
title-company = 单位
tax_number = 税号
tax-number-missing = 单位发票需要税号。
tax-number-shape = 税号为 5 到 20 个字母和数字。
address = 地址
telephone = 电话
bank_name = 开户行
bank_account = 银行账号
channel = 发票发送至
channel-inbox = 我在此处的页面
channel-inbox-buyer = 买方在此处的页面

# 隐私

alarms = 警报
alarms-none = 您的付款码没有异常。
alarms-what = 如果不是您本人所为：请暂停付款码，并修改密码。
alarm-code-repeated = 已使用的码被再次出示
alarm-terminal-locked = 某终端因无效码过多被停用
consents = 授权
consents-none = 您没有授权读取任何内容。
consent-code-record = 开通付款码
consent-given = 授权于 { $at }
consent-withdraw = 撤回
consent-withdraw-sure = 撤回此授权？以后不再读取；已有的开票信息会保留，直到您删除。
consent-withdrawn = 撤回于 { $at }
sessions = 已登录
session-this = 本浏览器
session-other = 其他浏览器
session-end = 在该处退出

# 账户

balance = 余额
balance-how = 由运营方充值。机构付款不会动用此余额。
number-user = 用户号
number-card = 身份证件
number-passport = 出入境证件
about-you = 关于您
password-change = 修改密码
password-current = 当前密码
password-current-wrong = 当前密码不正确。
password-new = 新密码
